from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.geometry import Geometry

from ..contract import PROPERTY
from .oracles import as_lists, normal_rows, rows, squared_distance


def oracle(x_MD: torch.Tensor) -> torch.Tensor:
    x = as_lists(x_MD)
    return torch.tensor([[squared_distance(a, b) for b in x] for a in x], dtype=torch.float64)


@PROPERTY
@given(rows(1))
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor) -> None:
    geometry = Geometry.of(x_MD)
    assert torch.equal(geometry.between_MM, oracle(x_MD))
    whole_M = x_MD.isfinite().all(1)
    assert torch.equal(geometry.whole_M, whole_M)
    torch.testing.assert_close(geometry.norms_M[whole_M], x_MD.double().norm(dim=1)[whole_M])
    assert geometry.norms_M[~whole_M].isinf().all()


def test_close_rows_far_from_zero_keep_their_distances() -> None:
    """Models near consensus: through ‖a‖² + ‖b‖² - 2a·b the rounding of 1e6 would bury distances of 1e-2."""
    x_MD = (100 + 0.01 * normal_rows(1, 6, 100)).float()
    torch.testing.assert_close(Geometry.of(x_MD).between_MM, oracle(x_MD), rtol=1e-6, atol=0)


@pytest.mark.parametrize("lie", [1e15, 1e25, 3e38, -100.0, torch.inf])
@pytest.mark.parametrize("liar", [0, 3])
def test_a_liar_cannot_blur_the_honest_distances(lie: float, liar: int) -> None:
    x_MD = (100 + 0.01 * normal_rows(2, 7, 50)).float()
    x_MD[liar] = lie
    torch.testing.assert_close(Geometry.of(x_MD).between_MM, oracle(x_MD), rtol=1e-6, atol=0)


def test_a_pivot_is_a_point_like_the_rows() -> None:
    x_MD, pivot_D = normal_rows(3, 5, 4), normal_rows(4, 4)
    geometry = Geometry.of(x_MD, pivot_D)
    torch.testing.assert_close(geometry.from_pivot_M, (x_MD - pivot_D).norm(dim=1))
    torch.testing.assert_close(geometry.norms_M, x_MD.norm(dim=1))
    x_MD[2, 1] = torch.nan
    assert Geometry.of(x_MD, pivot_D).from_pivot_M.isinf().tolist() == [False, False, True, False, False]


@PROPERTY
@given(st.integers(0, 10**6), st.booleans())
def test_mixtures_lie_where_they_lie(seed: int, affine: bool) -> None:
    """Told from the distances of the rows alone, against the mixtures themselves."""
    x_MD, pivot_D = 50 + normal_rows(seed, 6, 5), normal_rows(seed + 1, 5)
    shares_QM = normal_rows(seed + 2, 4, 6).abs()
    if affine:
        shares_QM /= shares_QM.sum(1, keepdim=True)
    expected = Geometry.of(shares_QM @ x_MD, pivot_D)
    torch.testing.assert_close(
        Geometry.of(x_MD, pivot_D).mixed(shares_QM).squared_PP, expected.squared_PP, rtol=1e-9, atol=1e-9
    )


@PROPERTY
@given(st.integers(0, 10**6), st.integers(1, 12), st.sampled_from([1.0, 1e3, 1e6, 1e100]))
def test_mixtures_are_as_far_from_each_other_there_as_back(seed: int, count: int, lie: float) -> None:
    """To the last bit: rules read the distances as a graph without directions."""
    x_BMD, shares_QM = normal_rows(seed, 2, count, 1), normal_rows(seed + 1, count + 2, count).abs()
    x_BMD[:, : count // 2] *= lie
    mixed = Geometry.of(x_BMD).mixed(shares_QM / shares_QM.sum(1, keepdim=True))
    assert torch.equal(mixed.between_MM, mixed.between_MM.mT)
    assert not mixed.between_MM.diagonal(dim1=-2, dim2=-1).any()


def test_a_mixture_is_broken_where_a_part_of_it_is() -> None:
    x_MD = torch.tensor([[1.0], [torch.nan], [3.0]])
    shares_QM = torch.tensor([[0.5, 0.0, 0.5], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    geometry = Geometry.of(x_MD).mixed(shares_QM)
    assert geometry.whole_M.tolist() == [True, False, True]
    assert geometry.between_MM[0].tolist() == [0.0, torch.inf, 1.0]


def test_many_inboxes_at_once() -> None:
    x_BMD = normal_rows(5, 3, 4, 6)
    x_BMD[1, 2, 0] = torch.inf
    found, apart = Geometry.of(x_BMD), [Geometry.of(x_MD) for x_MD in x_BMD]
    assert torch.equal(found.squared_PP, torch.stack([geometry.squared_PP for geometry in apart]))
