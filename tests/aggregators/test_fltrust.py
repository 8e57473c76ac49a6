from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.fltrust import Fltrust
from holdfast.aggregators.nnm import Nnm
from holdfast.catalogue import build

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows, rows
from .oracles_spectral import fltrust


def test_by_hand() -> None:
    """Cosines to (2, 0) are 0.6, 0, -1 and 1; at length 2 the trusted rows are (1.2, 1.6) and (2, 0)."""
    x_MD = torch.tensor([[3.0, 4.0], [0.0, 7.0], [-5.0, 0.0], [9.0, 0.0]])
    expected = [(0.6 * 1.2 + 2) / 1.6, 0.6 * 1.6 / 1.6]
    assert_near(Fltrust()(x_MD, pivot_D=torch.tensor([2.0, 0.0])), expected)
    assert_near(Fltrust()(torch.cat([torch.tensor([[2.0, 0.0]]), x_MD])), expected)


@PROPERTY
@given(rows(2))
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor) -> None:
    x = as_lists(x_MD)
    assert_near(Fltrust()(x_MD), fltrust(x[1:], x[0]) if x_MD[0].isfinite().all() else [0.0] * len(x[0]))
    pivot_D = torch.arange(1.0, 1 + x_MD.shape[-1])
    assert_near(Fltrust()(x_MD, pivot_D=pivot_D), fltrust(x, pivot_D.tolist()))


def test_without_trust_nothing_is_learnt() -> None:
    v_D = torch.tensor([1.0, 1.0])
    for x_MD in (-torch.ones(3, 2), torch.zeros(3, 2), torch.full((3, 2), torch.nan)):
        assert Fltrust()(x_MD, pivot_D=v_D).tolist() == [0.0, 0.0]
    for broken in (0.0, torch.nan, torch.inf):
        assert Fltrust()(torch.ones(3, 2), pivot_D=torch.full((2,), broken)).tolist() == [0.0, 0.0]


@PROPERTY
@given(st.integers(0, 10**6), st.lists(st.sampled_from([1e-30, 1e-3, 7.0, 1e20, 3e37]), min_size=6, max_size=6))
def test_the_lengths_of_rows_do_not_matter(seed: int, scales: list[float]) -> None:
    x_MD, v_D = normal_rows(seed, 6, 4).float(), normal_rows(seed + 1, 4).float()
    expected_D = Fltrust()(x_MD, pivot_D=v_D)
    assert_near(Fltrust()(x_MD * torch.tensor(scales).unsqueeze(-1), pivot_D=v_D), expected_D)
    assert expected_D.norm() <= v_D.norm() * (1 + 1e-6)


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(6)), st.floats(0.1, 9))
def test_scales_with_the_trusted_row_in_any_order(seed: int, order: list[int], scale: float) -> None:
    x_MD, v_D = normal_rows(seed, 6, 4), normal_rows(seed + 1, 4)
    expected_D = scale * Fltrust()(x_MD, pivot_D=v_D)
    torch.testing.assert_close(Fltrust()(x_MD[order], pivot_D=scale * v_D), expected_D)


def test_an_inbox_of_many_columns_is_read_in_blocks() -> None:
    x_MD, v_D = normal_rows(1, 3, 400_000).float(), normal_rows(2, 400_000).float()
    x_MD += v_D
    assert_near(Fltrust()(x_MD, pivot_D=v_D), fltrust(as_lists(x_MD), v_D.tolist()))


def test_each_inbox_of_a_batch_has_its_own_pivot() -> None:
    x_BMD, v_BD = normal_rows(1, 3, 5, 4), normal_rows(2, 3, 4)
    expected_BD = torch.stack([Fltrust()(x_MD, pivot_D=v_D) for x_MD, v_D in zip(x_BMD, v_BD, strict=True)])
    torch.testing.assert_close(Fltrust()(x_BMD, pivot_D=v_BD), expected_BD)


def test_names_the_node_whose_row_is_trusted() -> None:
    assert Fltrust(trusted=3).trusted_node == 3
    assert build(Aggregator, [{"name": "nnm", "f": 1}, {"name": "fltrust", "trusted": 2}]).trusted_node == 2


def test_after_a_stage_that_mixes() -> None:
    x_MD, v_D = normal_rows(1, 5, 4), normal_rows(2, 4)
    mixed_MD = Nnm(f=1).transform({}, x_MD)[1]
    rule = build(Aggregator, [{"name": "nnm", "f": 1}, "fltrust"])
    torch.testing.assert_close(rule(x_MD, pivot_D=v_D), Fltrust()(mixed_MD, pivot_D=v_D))
