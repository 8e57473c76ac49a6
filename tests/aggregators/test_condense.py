from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.condense import Condense
from holdfast.aggregators.median import Median
from holdfast.catalogue import build
from holdfast.errors import InputError

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, finite_values, median, normal_rows, rows


def from_the_row(columns: int, p: float, seed: int = 0, round: int = 0) -> list[bool]:
    """In which coordinates the row is taken, seen from outside: it alone is not 0."""
    x_MD = torch.zeros(3, columns)
    x_MD[1] = 1.0
    state = {"round": torch.tensor(round)}
    return [value == 1.0 for value in Condense(p=p, row=1, seed=seed).aggregate(state, x_MD)[1].tolist()]


def test_by_hand() -> None:
    x_MD = torch.tensor([[7.0, torch.nan, 1.0], [2.0, 2.0, 2.0], [9.0, 4.0, torch.inf]])
    assert Condense(p=0.0)(x_MD).tolist() == [7.0, 3.0, 1.0]
    assert Condense(p=0.0, row=2)(x_MD).tolist() == [9.0, 4.0, 1.5]
    assert Condense(p=1.0)(x_MD).tolist() == [7.0, 3.0, 1.5]


@PROPERTY
@given(rows(1), st.integers(0, 99), st.data())
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor, seed: int, data: st.DataObject) -> None:
    row, x = data.draw(st.integers(0, len(x_MD) - 1)), as_lists(x_MD)
    chosen = from_the_row(x_MD.shape[1], 0.5, seed)
    expected = median(x, upper=False)
    for d in range(len(expected)):
        if chosen[d] and finite_values([x[row]], d):
            expected[d] = x[row][d]
    assert_near(Condense(p=0.5, row=row, seed=seed)(x_MD), expected)


def test_as_often_as_it_says() -> None:
    assert 0.08 < sum(from_the_row(4000, 0.9)) / 4000 < 0.12


def test_the_choice_changes_with_the_round_and_the_seed_alone() -> None:
    first = from_the_row(50, 0.5, seed=1, round=4)
    assert from_the_row(50, 0.5, seed=1, round=4) == first
    assert from_the_row(50, 0.5, seed=1, round=5) != first
    assert from_the_row(50, 0.5, seed=2, round=4) != first


@PROPERTY
@given(st.integers(0, 10**6), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows(seed: int, scale: float, shift: float) -> None:
    x_MD, rule = normal_rows(seed, 5, 6), Condense(p=0.5, row=2, seed=seed)
    torch.testing.assert_close(rule(scale * x_MD + shift), scale * rule(x_MD) + shift)


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([torch.nan, torch.inf, -1e30, 3e38]))
def test_with_an_honest_row_stays_in_the_range_of_the_honest(seed: int, lie: float) -> None:
    x_MD = normal_rows(seed, 5, 6).float()
    x_MD[[1, 4]] = lie
    honest_HD, result_D = x_MD[[0, 2, 3]], Condense(p=0.5, row=2, seed=seed)(x_MD)
    assert (result_D >= honest_HD.amin(0)).all()
    assert (result_D <= honest_HD.amax(0)).all()


def test_needs_the_row_it_is_given() -> None:
    assert Condense(row=3).least == 4
    assert build(Aggregator, [{"name": "bucketing", "s": 2}, {"name": "condense", "row": 3}]).least == 7
    with pytest.raises(InputError, match="row must be less than the number of rows, here 3, but 3 was given"):
        Condense(row=3)(normal_rows(1, 3, 2))


def test_of_mixtures() -> None:
    """All shares of the one group are equal, so its mean is the row and the median."""
    x_MD = normal_rows(3, 5, 4)
    assert_near(build(Aggregator, [{"name": "bucketing", "s": 5}, {"name": "condense", "p": 0.5}])(x_MD), x_MD.mean(0))
    assert torch.equal(Condense(p=1.0)(x_MD), Median()(x_MD))
