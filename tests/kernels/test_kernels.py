from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from torch import Tensor

from holdfast import kernels
from holdfast.kernels import Ranks

from ..aggregators.oracles import rows
from ..contract import PROPERTY
from . import oracles
from .oracles import RULES, as_lists, assert_near, median_of, nearest_of, normal, shares, trimmed_of, with_holes

rules = pytest.mark.parametrize("rule", RULES)
precisions = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
halves = pytest.mark.parametrize(("dtype", "rounding"), [(torch.float16, 1e-3), (torch.bfloat16, 8e-3)])


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "BLOCK_NUMBERS", 40)


# ---------------------------------------------------------------- ordered


def test_ordered_by_hand() -> None:
    x_MD = torch.tensor([[1.0, torch.nan, torch.inf], [4.0, 3.0, torch.nan], [10.0, 1.0, -torch.inf]])
    assert_near(kernels.ordered(x_MD, median_of(3)), [4.0, 2.0, 0.0])
    assert_near(kernels.ordered(x_MD, Ranks.of(3, lambda m: (0, m))), [5.0, 2.0, 0.0])
    assert_near(kernels.ordered(x_MD, nearest_of(3)), [2.5, 2.0, 0.0])  # of 1, 4 and 10 the two nearest to 4


def test_of_two_values_as_near_the_lesser_is_kept() -> None:
    x_MD = torch.tensor([[2.0, -1.0], [1.0, -3.0], [0.0, -2.0]])
    assert_near(kernels.ordered(x_MD, nearest_of(3)), [0.5, -2.5])
    with_a_hole_MD = torch.cat([x_MD, torch.full((1, 2), torch.nan)])
    assert_near(kernels.ordered(with_a_hole_MD, Ranks.of(4, lambda m: (1, 2), lambda m: 2)), [0.5, -2.5])


@precisions
@pytest.mark.parametrize("count", range(1, 71))
def test_ordered_agrees_with_a_plain_loop(dtype: torch.dtype, count: int) -> None:
    x_MD = normal(count, count, 7, dtype=dtype)
    for rows_MD in (x_MD, with_holes(x_MD, count)):
        for ranks in (rule(count) for rule in RULES):
            assert_near(kernels.ordered(rows_MD, ranks), oracles.ordered(as_lists(rows_MD), ranks))


@rules
@PROPERTY
@given(x_MD=rows(1))
def test_ordered_of_ties(rule: Callable[[int], Ranks], x_MD: Tensor) -> None:
    ranks = rule(len(x_MD))
    assert_near(kernels.ordered(x_MD, ranks), oracles.ordered(as_lists(x_MD), ranks))


@rules
@precisions
@pytest.mark.parametrize(("mixtures", "count"), [(1, 1), (1, 6), (6, 6), (9, 4), (20, 33)])
def test_ordered_mixtures_agree_with_a_plain_loop(
    rule: Callable[[int], Ranks], dtype: torch.dtype, mixtures: int, count: int
) -> None:
    x_MD, mix_QM, ranks = normal(1, count, 9, dtype=dtype), shares(2, mixtures, count), rule(mixtures)
    for rows_MD in (x_MD, with_holes(x_MD)):
        expected = oracles.ordered(oracles.mixed(as_lists(rows_MD), as_lists(mix_QM)), ranks)
        assert_near(kernels.ordered(rows_MD, ranks, mix_QM), expected)


def test_a_row_without_a_share_may_hold_anything() -> None:
    x_MD = torch.tensor([[1.0, 2.0], [torch.nan, torch.inf], [3.0, 6.0]])
    mix_QM = torch.tensor([[0.5, 0.0, 0.5], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    assert_near(kernels.ordered(x_MD, median_of(3), mix_QM), [1.5, 3.0])


def test_ordered_of_a_thousand_rows() -> None:
    x_MD = normal(3, 1000, 3, dtype=torch.float32)
    for rows_MD in (x_MD, with_holes(x_MD)):
        for ranks in (trimmed_of(1000), nearest_of(1000)):
            assert_near(kernels.ordered(rows_MD, ranks), oracles.ordered(as_lists(rows_MD), ranks))


@halves
@pytest.mark.usefixtures("small_blocks")
def test_ordered_of_half_precision(dtype: torch.dtype, rounding: float) -> None:
    x_MD = with_holes(normal(4, 2, 5, 30, dtype=dtype))
    found_D, mix_QM = kernels.ordered(x_MD, trimmed_of(5)), shares(5, 3, 5)
    assert found_D.dtype == dtype
    assert_near(found_D, [oracles.ordered(as_lists(one_MD), trimmed_of(5)) for one_MD in x_MD], rounding)
    expected = [oracles.ordered(oracles.mixed(as_lists(one_MD), as_lists(mix_QM)), median_of(3)) for one_MD in x_MD]
    assert_near(kernels.ordered(x_MD, median_of(3), mix_QM), expected, rounding)


# ---------------------------------------------------------------- squared distances


def test_squared_distances_by_hand() -> None:
    x_MD, other_ED = torch.tensor([[1.0, 0.0], [4.0, 4.0]]), torch.tensor([[1.0, 2.0]])
    expected = [[0, 25, 4, 1], [25, 0, 13, 32], [4, 13, 0, 5], [1, 32, 5, 0]]
    assert_near(kernels.squared_distances(x_MD, other_ED), expected)


@precisions
@pytest.mark.parametrize("count", [*range(1, 14), 19, 33, 70])
@pytest.mark.parametrize("others", [0, 1, 3])
def test_squared_distances_agree_with_a_plain_loop(dtype: torch.dtype, count: int, others: int) -> None:
    x_MD, other_ED = normal(6, count, 11, dtype=dtype), normal(7, others, 11, dtype=dtype)
    found_PP = kernels.squared_distances(x_MD, other_ED)
    assert found_PP.dtype == torch.float64
    assert torch.equal(found_PP, found_PP.mT)
    assert_near(found_PP, oracles.squared_distances(as_lists(x_MD) + as_lists(other_ED)))


def test_nothing_cancels_where_long_rows_are_close_together() -> None:
    x_MD = 1e4 + normal(8, 6, 2000, dtype=torch.float32)
    assert_near(kernels.squared_distances(x_MD), oracles.squared_distances(as_lists(x_MD)))


@pytest.mark.parametrize("hole", [torch.nan, torch.inf, -torch.inf])
def test_a_broken_point_is_at_no_finite_distance(hole: float) -> None:
    x_MD = normal(9, 5, 20)
    whole_PP = kernels.squared_distances(x_MD)
    x_MD[2, 7] = hole
    found_PP, apart_P = kernels.squared_distances(x_MD), torch.arange(6) != 2
    assert not found_PP[2, apart_P].isfinite().any()
    assert torch.equal(found_PP[apart_P][:, apart_P], whole_PP[apart_P][:, apart_P])


def test_squared_distances_of_a_thousand_rows() -> None:
    x_MD = normal(10, 1000, 2, dtype=torch.float32)
    points_PD = torch.cat([x_MD, torch.zeros(1, 2)]).double()
    assert_near(kernels.squared_distances(x_MD), (points_PD[:, None] - points_PD).square().sum(-1))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.usefixtures("small_blocks")
def test_squared_distances_of_half_precision(dtype: torch.dtype) -> None:
    x_MD, other_ED = normal(11, 2, 5, 33, dtype=dtype), normal(12, 2, 1, 33, dtype=dtype)
    expected = [
        oracles.squared_distances(as_lists(x) + as_lists(other)) for x, other in zip(x_MD, other_ED, strict=True)
    ]
    assert_near(kernels.squared_distances(x_MD, other_ED), expected)


@pytest.mark.usefixtures("small_blocks")
def test_squared_distances_by_blocks_do_not_overflow() -> None:
    x_MD = 1e25 * normal(13, 5, 33, dtype=torch.float32)
    assert kernels.squared_distances(x_MD).isinf().any()
    found_PP = kernels.squared_distances_by_blocks(x_MD, x_MD[:1], torch.float64)
    expected = torch.tensor(oracles.squared_distances(as_lists(x_MD) + as_lists(x_MD[:1])), dtype=torch.float64)
    torch.testing.assert_close(found_PP, expected, rtol=1e-12, atol=0.0)


@precisions
@pytest.mark.parametrize("columns", [0, 1, 511, 513, 1100])
def test_squared_lengths_are_distances_to_one_point(dtype: torch.dtype, columns: int) -> None:
    x_GMD, centre_GD = normal(14, 2, 5, columns, dtype=dtype), normal(15, 2, columns, dtype=dtype)
    assert_near(kernels.squared_lengths(x_GMD), x_GMD.double().square().sum(-1))
    apart_GMD = x_GMD.double() - centre_GD.double().unsqueeze(1)
    assert_near(kernels.squared_lengths(x_GMD, centre_GD), apart_GMD.square().sum(-1))
    assert_near(kernels.squared_lengths(x_GMD[0], centre_GD[0]), apart_GMD[0].square().sum(-1))


@pytest.mark.usefixtures("small_blocks")
def test_squared_lengths_in_another_precision() -> None:
    x_MD = 1e25 * normal(16, 3, 33, dtype=torch.float32)
    assert kernels.squared_lengths(x_MD).isinf().all()
    found_M = kernels.squared_lengths_by_blocks(x_MD, x_MD[0], torch.float64)
    torch.testing.assert_close(found_M, (x_MD.double() - x_MD[0].double()).square().sum(-1), rtol=1e-12, atol=0.0)
    half_MD = normal(17, 3, 33, dtype=torch.float16)
    assert_near(kernels.squared_lengths(half_MD, half_MD[1]), (half_MD.double() - half_MD[1].double()).square().sum(-1))


# ---------------------------------------------------------------- weighted sums


def test_weighted_sums_by_hand() -> None:
    x_MD = torch.tensor([[1.0, 2.0, torch.nan], [torch.nan, 5.0, torch.inf], [3.0, -torch.inf, torch.nan]])
    weights_M = torch.tensor([2.0, 1.0, 0.0])
    assert_near(kernels.combined(x_MD, weights_M), [torch.nan, 9.0, torch.nan])
    assert_near(kernels.present_mean(x_MD, weights_M), [1.0, 3.0, 0.0])


@precisions
@pytest.mark.parametrize("count", [1, 2, 5, 19, 64])
def test_weighted_sums_agree_with_a_plain_loop(dtype: torch.dtype, count: int) -> None:
    x_MD, weights_M = normal(14, count, 9, dtype=dtype), shares(15, count)
    for rows_MD in (x_MD, with_holes(x_MD)):
        x, weights = as_lists(rows_MD), weights_M.tolist()
        assert_near(kernels.combined(rows_MD, weights_M), oracles.combined(x, weights))
        assert_near(kernels.present_mean(rows_MD, weights_M), oracles.present_mean(x, weights))


def test_weights_may_be_negative_and_cancel_large_values() -> None:
    x_MD = torch.tensor([[3e7, 1.0], [3e7 + 2, 5.0], [1.0, 1.0]])
    assert_near(kernels.combined(x_MD, torch.tensor([-1.0, 1.0, 0.5])), [2.5, 4.5])


def test_weighted_sums_of_a_thousand_rows() -> None:
    x_MD, weights_M = normal(16, 1000, 3, dtype=torch.float32), shares(17, 1000)
    assert_near(kernels.combined(x_MD, weights_M), weights_M @ x_MD.double())


@halves
@pytest.mark.usefixtures("small_blocks")
def test_weighted_sums_of_half_precision(dtype: torch.dtype, rounding: float) -> None:
    x_MD, weights_M = with_holes(normal(18, 2, 4, 33, dtype=dtype)), shares(19, 2, 4)
    pairs = [(as_lists(one_MD), one_M.tolist()) for one_MD, one_M in zip(x_MD, weights_M, strict=True)]
    for kernel, oracle in ((kernels.combined, oracles.combined), (kernels.present_mean, oracles.present_mean)):
        found_D = kernel(x_MD, weights_M)
        assert found_D.dtype == dtype
        assert_near(found_D, [oracle(x, weights) for x, weights in pairs], rounding)


# ---------------------------------------------------------------- shapes


KERNELS: list[Callable[[Tensor], Tensor]] = [
    lambda x_MD: kernels.ordered(x_MD, trimmed_of(6)),
    lambda x_MD: kernels.ordered(x_MD, nearest_of(4), shares(20, 4, 6)),
    lambda x_MD: kernels.squared_distances(x_MD),
    lambda x_MD: kernels.squared_distances(x_MD, x_MD[..., 2:4, :] + 1),
    lambda x_MD: kernels.combined(x_MD, shares(21, 6)),
    lambda x_MD: kernels.present_mean(x_MD, shares(22, 6)),
]
each = pytest.mark.parametrize("kernel", KERNELS)


@each
@precisions
def test_a_batch_is_as_good_as_a_loop(kernel: Callable[[Tensor], Tensor], dtype: torch.dtype) -> None:
    x_MD = with_holes(normal(23, 2, 3, 6, 70, dtype=dtype))
    x_MD[0] = normal(24, 3, 6, 70)
    expected = torch.stack([torch.stack([kernel(one_MD) for one_MD in some_MD]) for some_MD in x_MD])
    torch.testing.assert_close(kernel(x_MD), expected, rtol=0, atol=0, equal_nan=True)


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_memory_may_lie_anyhow_and_stays_as_it_is(kernel: Callable[[Tensor], Tensor], dtype: torch.dtype) -> None:
    x_MD = with_holes(normal(25, 2, 6, 40, dtype=dtype))
    expected = kernel(x_MD)
    for strided_MD in (x_MD.mT.contiguous().mT, x_MD.repeat_interleave(2, -1)[..., ::2], x_MD.clone().requires_grad_()):
        before_MD = strided_MD.detach().clone()
        torch.testing.assert_close(kernel(strided_MD), expected, rtol=0, atol=0, equal_nan=True)
        torch.testing.assert_close(strided_MD.detach(), before_MD, rtol=0, atol=0, equal_nan=True)


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(6, 0), (2, 6, 0), (0, 6, 3), (6, 1)])
def test_no_columns_and_no_inboxes(
    kernel: Callable[[Tensor], Tensor], dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    found = kernel(torch.ones(shape, dtype=dtype))
    assert found.shape[: len(shape) - 2] == shape[:-2]
    assert found.shape[-1] in (shape[-1], 7, 9)
    assert found.isfinite().all()


def test_each_inbox_may_have_shares_and_weights_of_its_own() -> None:
    x_MD, mix_QM, weights_M = normal(26, 3, 6, 10), shares(27, 3, 4, 6), shares(28, 3, 6)
    for at in range(3):
        assert torch.equal(
            kernels.ordered(x_MD, median_of(4), mix_QM)[at], kernels.ordered(x_MD[at], median_of(4), mix_QM[at])
        )
        assert torch.equal(kernels.combined(x_MD, weights_M)[at], kernels.combined(x_MD[at], weights_M[at]))


@pytest.mark.parametrize("shape", [(3, 100), (2, 2, 5, 37), (4, 0), (0, 3)])
@pytest.mark.usefixtures("small_blocks")
def test_blocks_are_all_columns_in_order(shape: tuple[int, ...]) -> None:
    x_MD = normal(29, *shape)
    pieces = list(kernels.blocks(x_MD))
    assert pieces
    assert torch.equal(torch.cat(pieces, -1), x_MD)
    assert all(piece.numel() <= 40 for piece in pieces)
