from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.caf import Caf
from holdfast.aggregators.mean import Mean

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows
from .oracles_spectral import caf


def test_by_hand() -> None:
    """τ is 1, 1, 4 around the mean 1, so c becomes 3/4, 3/4, 0: both left at 0 vary by nothing."""
    assert_near(Caf(f=1)(torch.tensor([[0.0], [0.0], [3.0]])), [0.0])


def test_by_hand_with_another_pass() -> None:
    """τ is 9, 4, 1, 36 around the mean 3, so c becomes 3/4, 8/9, 35/36, 0; what is left after the next is below 2."""
    total = 3 / 4 + 8 / 9 + 35 / 36
    assert_near(Caf(f=1)(torch.tensor([[0.0], [1.0], [2.0], [9.0]])), [(8 / 9 + 2 * 35 / 36) / total])


@PROPERTY
@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(0, 4), st.integers(1, 4), st.integers(0, 3))
def test_agrees_with_the_rows_own_covariance(seed: int, f: int, more: int, columns: int, broken: int) -> None:
    x_MD = normal_rows(seed, 2 * f + 1 + more, columns)
    x_MD[: min(f, broken), 0] = torch.nan
    x_MD[-1] += 7
    assert_near(Caf(f=f)(x_MD), caf(as_lists(x_MD), f))


def test_goes_back_to_weights_under_which_rows_varied_less() -> None:
    """The greatest variance falls from 18.3 to 3.02 in four passes, and is 3.77 in the last."""
    pairs = [[1, 1], [4, -1], [3, -5], [0, -2], [-6, 2], [0, -6], [-3, 5]]
    x_MD = torch.tensor(pairs, dtype=torch.float64)
    assert_near(Caf(f=3)(x_MD), caf(as_lists(x_MD), 3))


def test_without_liars_it_is_the_mean_of_finite_rows() -> None:
    x_MD = normal_rows(1, 5, 3)
    torch.testing.assert_close(Caf(f=0)(x_MD), Mean()(x_MD))
    x_MD[2, 1] = torch.inf
    torch.testing.assert_close(Caf(f=0)(x_MD), Mean()(x_MD[[0, 1, 3, 4]]))
    assert Caf(f=1)(torch.full((3, 2), torch.nan)).isnan().all()


def test_rows_that_are_alike_stay_as_they_are() -> None:
    assert_near(Caf(f=2)(torch.ones(6, 4)), [1.0] * 4)


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(7)), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows_in_any_order(seed: int, order: list[int], scale: float, shift: float) -> None:
    x_MD, rule = normal_rows(seed, 7, 3), Caf(f=2)
    torch.testing.assert_close(rule((scale * x_MD + shift)[order]), scale * rule(x_MD) + shift)


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([torch.nan, 1e18, 3e38, -50.0]), st.sampled_from([1e4, -1e30, 2.9e38]))
def test_liars_far_away_end_without_weight(seed: int, lie: float, other: float) -> None:
    x_MD = normal_rows(seed, 7, 3).float()
    x_MD[0], x_MD[4] = lie, other
    honest_HD = x_MD[[1, 2, 3, 5, 6]]
    assert (Caf(f=2)(x_MD) - honest_HD.mean(0)).norm() <= torch.cdist(honest_HD, honest_HD).max()
