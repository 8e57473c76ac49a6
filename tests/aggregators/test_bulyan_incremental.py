from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.bulyan_incremental import BulyanIncremental
from holdfast.aggregators.multi_krum import MultiKrum
from holdfast.aggregators.nnm import Nnm
from holdfast.catalogue import build

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows, rows
from .oracles_bulyan import bulyan_incremental


def test_by_hand() -> None:
    """m = 4, t = 3, b = 1.

    Scores 30, 15, 10, 10, 15, 30: the mean of 2, 3, 1 and 4 is 5/2, and 2 leaves. Then 26, 14, -, 9, 11, 21: the mean
    of 3, 4 and 1 is 8/3, and 3 leaves. Then 17, 10, -, -, 10, 17: the mean of 1 and 4 is 5/2. Their median is 5/2.
    """
    x_MD = torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [90.0]])
    assert_near(BulyanIncremental(f=1)(x_MD), [5 / 2])


@PROPERTY
@given(st.integers(0, 2), st.data())
def test_agrees_with_a_plain_loop(f: int, data: st.DataObject) -> None:
    x_MD = data.draw(rows(4 * f + 3, 12))
    assert_near(BulyanIncremental(f=f)(x_MD), bulyan_incremental(as_lists(x_MD), f))


@PROPERTY
@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(0, 4), st.integers(0, 16))
def test_agrees_on_rows_of_any_size(seed: int, f: int, more: int, broken: int) -> None:
    x_MD = normal_rows(seed, 4 * f + 3 + more, 5).float()
    x_MD[: min(broken, len(x_MD)), 2] = torch.nan
    assert_near(BulyanIncremental(f=f)(x_MD), bulyan_incremental(as_lists(x_MD), f))


def test_of_three_rows_it_is_multi_krum() -> None:
    x_MD = normal_rows(1, 3, 4)
    torch.testing.assert_close(BulyanIncremental(f=0)(x_MD), MultiKrum(f=0)(x_MD))


def test_as_few_finite_rows_as_there_are_decide() -> None:
    """Two rows are finite: their mean 1, then the one that is left, 2, then none; of two the middle two are kept."""
    x_MD = torch.full((7, 1), torch.nan)
    x_MD[[1, 4]] = torch.tensor([[0.0], [2.0]])
    assert_near(BulyanIncremental(f=1)(x_MD), [1.5])
    assert BulyanIncremental(f=1)(torch.full((7, 2), torch.nan)).tolist() == [0.0, 0.0]


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(11)), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows_in_any_order(seed: int, order: list[int], scale: float, shift: float) -> None:
    x_MD, rule = normal_rows(seed, 11, 3), BulyanIncremental(f=2)
    torch.testing.assert_close(rule((scale * x_MD + shift)[order]), scale * rule(x_MD) + shift)


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([torch.nan, torch.inf, 1e18, 1e30, 3e38, -50.0]))
def test_liars_far_away_are_in_no_mean(seed: int, lie: float) -> None:
    x_MD = normal_rows(seed, 11, 3).float()
    x_MD[[0, 4]] = lie
    assert BulyanIncremental(f=2)(x_MD).abs().max() < 10


def test_after_a_stage_that_mixes() -> None:
    x_MD = normal_rows(1, 9, 4)
    x_MD[5] = torch.nan
    rule = build(Aggregator, [{"name": "nnm", "f": 1}, {"name": "bulyan_incremental", "f": 1}])
    torch.testing.assert_close(rule(x_MD), BulyanIncremental(f=1)(Nnm(f=1).transform({}, x_MD)[1]))
