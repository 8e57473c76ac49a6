from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.ios import Ios

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows
from .oracles_gossip import ios


def test_by_hand() -> None:
    """The mean is 20, then 2.5, so 90 is cut and then 9; with f = 1 that stays."""
    x_MD = torch.tensor([[0.0], [1.0], [0.0], [90.0], [9.0]])
    assert_near(Ios(f=1)(x_MD), [2.5])
    assert_near(Ios(f=2)(x_MD), [1 / 3])
    assert_near(Ios(f=2)(x_MD, torch.tensor([2.0, 1.0, 1.0, 1.0, 1.0])), [1 / 4])


def test_the_mean_is_the_weighted_one() -> None:
    """Of equal weights -1 and 1 would be alike; the mean of these is 0.5, from which -1 is farther."""
    x_MD = torch.tensor([[0.0], [-1.0], [1.0]])
    assert_near(Ios(f=1)(x_MD, torch.tensor([1.0, 1.0, 6.0])), [6 / 7])


def test_the_own_row_stays_however_far() -> None:
    assert_near(Ios(f=1)(torch.tensor([[90.0], [0.0], [2.0], [1.0]])), [31.0])


def test_a_tie_drops_the_lower_row() -> None:
    assert_near(Ios(f=1)(torch.tensor([[0.0], [1.0], [-1.0], [0.0]])), [-1 / 3])


@PROPERTY
@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(0, 4), st.integers(1, 3), st.data())
def test_agrees_with_a_plain_loop(seed: int, f: int, more: int, columns: int, data: st.DataObject) -> None:
    n = 2 * f + 1 + more
    x_MD = normal_rows(seed, n, columns)
    for row in data.draw(st.sets(st.integers(0, n - 1), max_size=4)):
        x_MD[row, 0] = data.draw(st.sampled_from([torch.nan, torch.inf, -torch.inf, 1e6, -30.0]))
    weights_M = normal_rows(seed + 1, n).abs() + 0.1
    assert_near(Ios(f=f)(x_MD, weights_M), ios(as_lists(x_MD), weights_M.tolist(), f))
    assert_near(Ios(f=f)(x_MD), ios(as_lists(x_MD), [1.0] * n, f))


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([torch.nan, torch.inf, 1e18, 1e30, 3e38, -50.0]))
def test_liars_far_away_are_cut(seed: int, lie: float) -> None:
    x_MD = normal_rows(seed, 7, 3).float()
    honest_D = x_MD[[0, 1, 3, 5, 6]].mean(0)
    x_MD[[2, 4]] = lie
    torch.testing.assert_close(Ios(f=2)(x_MD), honest_D)


def test_a_row_too_far_for_float64_to_say_how_far_is_cut() -> None:
    """The square of 1e200 is infinite; it must not count as none."""
    x_MD = torch.tensor([[0.0], [1.0], [2.0], [1e200]], dtype=torch.float64)
    assert_near(Ios(f=1)(x_MD), [1.0])


def test_twins_are_alike() -> None:
    assert_near(Ios(f=2)(torch.tensor([[1.0], [5.0], [5.0], [5.0], [2.0], [2.0]])), [10 / 4])
