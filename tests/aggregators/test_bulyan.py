from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.bulyan import Bulyan
from holdfast.aggregators.mean_around_median import MeanAroundMedian
from holdfast.aggregators.nnm import Nnm
from holdfast.catalogue import build

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows, rows
from .oracles_bulyan import bulyan


def test_by_hand() -> None:
    """Krum takes 2, 3, 1, 4 and 0 in turn (ties to the lower row); around their median 2 lie 1, 2 and 3."""
    assert_near(Bulyan(f=1)(torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [90.0]])), [2.0])
    """The other way round it takes 3, 2, 4, 1 and 5."""
    assert_near(Bulyan(f=1)(torch.tensor([[90.0], [5.0], [4.0], [3.0], [2.0], [1.0], [0.0]])), [3.0])


@PROPERTY
@given(st.integers(0, 2), st.data())
def test_agrees_with_a_plain_loop(f: int, data: st.DataObject) -> None:
    x_MD = data.draw(rows(4 * f + 3, 12))
    assert_near(Bulyan(f=f)(x_MD), bulyan(as_lists(x_MD), f))


@PROPERTY
@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(0, 4), st.integers(0, 16))
def test_agrees_on_rows_of_any_size(seed: int, f: int, more: int, broken: int) -> None:
    x_MD = normal_rows(seed, 4 * f + 3 + more, 5).float()
    x_MD[: min(broken, len(x_MD)), 2] = torch.nan
    assert_near(Bulyan(f=f)(x_MD), bulyan(as_lists(x_MD), f))


def test_agrees_where_rows_lack_neighbours() -> None:
    """Five of 15 rows are broken, more than f + 1 and fewer than 2f: finite ones are still told apart."""
    for seed in range(5):
        x_MD = normal_rows(seed, 15, 3)
        x_MD[[0, 3, 4, 9, 11], 1] = torch.nan
        assert_near(Bulyan(f=3)(x_MD), bulyan(as_lists(x_MD), 3))


def test_without_liars_it_is_the_mean() -> None:
    x_MD = normal_rows(1, 5, 4)
    torch.testing.assert_close(Bulyan(f=0)(x_MD), x_MD.mean(0))


def test_as_few_finite_rows_as_there_are_decide() -> None:
    """Of 7 rows 3 are finite, fewer than the 5 to select: with 2f = 2 dropped, one value is kept."""
    x_MD = torch.full((7, 2), torch.nan)
    x_MD[[1, 3, 6]] = torch.tensor([[0.0, 5.0], [4.0, 4.0], [9.0, 0.0]])
    x_MD[0, 0] = 100.0
    assert_near(Bulyan(f=1)(x_MD), [4.0, 4.0])
    assert Bulyan(f=1)(torch.full((7, 2), torch.nan)).tolist() == [0.0, 0.0]


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(15)), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows_in_any_order(seed: int, order: list[int], scale: float, shift: float) -> None:
    """With f = 3 there always are two neighbours or more: by one alone, two rows nearest to each other always tie."""
    x_MD, rule = normal_rows(seed, 15, 3), Bulyan(f=3)
    torch.testing.assert_close(rule((scale * x_MD + shift)[order]), scale * rule(x_MD) + shift)


@PROPERTY
@given(st.integers(0, 10**6), st.floats(width=32), st.integers(0, 3))
def test_each_coordinate_stays_near_the_honest_range(seed: int, lie: float, column: int) -> None:
    """Liars that hide in one coordinate: the median is honest, and values kept are no further than honest ones."""
    x_MD = normal_rows(seed, 11, 4).float()
    x_MD[[2, 7]] = x_MD[[0, 1]]
    x_MD[[2, 7], column] = lie
    honest_HD = x_MD[[0, 1, 3, 4, 5, 6, 8, 9, 10]]
    low_D, high_D = honest_HD.amin(0), honest_HD.amax(0)
    result_D, width_D = Bulyan(f=2)(x_MD), high_D - low_D
    assert ((low_D - width_D <= result_D) & (result_D <= high_D + width_D)).all()


def test_after_a_stage_that_mixes() -> None:
    x_MD = normal_rows(1, 9, 4)
    x_MD[5] = torch.nan
    rule = build(Aggregator, [{"name": "nnm", "f": 1}, {"name": "bulyan", "f": 1}])
    torch.testing.assert_close(rule(x_MD), Bulyan(f=1)(Nnm(f=1).transform({}, x_MD)[1]))


def test_liars_that_are_alone_are_not_selected() -> None:
    x_MD = normal_rows(1, 11, 4)
    x_MD[[0, 6]] = torch.tensor([[1e3], [-1e3]]).double()
    honest_HD = x_MD[[1, 2, 3, 4, 5, 7, 8, 9, 10]]
    assert Bulyan(f=2)(x_MD).abs().max() < honest_HD.abs().max()
    torch.testing.assert_close(Bulyan(f=0)(honest_HD), MeanAroundMedian(f=0)(honest_HD))
