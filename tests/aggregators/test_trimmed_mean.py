from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.mean import Mean
from holdfast.aggregators.median import Median
from holdfast.aggregators.trimmed_mean import TrimmedMean

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows, rows, rows_with_liars, trimmed_mean


def test_by_hand() -> None:
    x_MD = torch.tensor([[1.0, -9.0], [2.0, 4.0], [6.0, 5.0], [4.0, 9.0], [100.0, 6.0]])
    assert_near(TrimmedMean(f=1)(x_MD), [4.0, 5.0])
    assert_near(TrimmedMean(f=2)(x_MD), [4.0, 5.0])


def test_a_missing_value_does_not_count_against_f() -> None:
    """Of five values one is missing; the liar's 99 is still dropped, and so is the least."""
    x_MD = torch.tensor([[1.0], [2.0], [4.0], [torch.nan], [99.0]])
    assert_near(TrimmedMean(f=1)(x_MD), [3.0])
    assert_near(TrimmedMean(f=2)(x_MD), [3.0])  # four values cannot lose two at each end: the middle two


@PROPERTY
@given(rows(1), st.integers(0, 3))
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor, f: int) -> None:
    f = min(f, (len(x_MD) - 1) // 2)
    assert_near(TrimmedMean(f=f)(x_MD), trimmed_mean(as_lists(x_MD), f))


@PROPERTY
@given(rows_with_liars())
def test_lies_in_the_range_of_the_honest_rows(case: tuple[int, torch.Tensor, torch.Tensor]) -> None:
    f, honest_HD, x_MD = case
    result_D, slack = TrimmedMean(f=f)(x_MD), 1e-6 * honest_HD.abs().amax(0) + 1e-30
    assert (result_D >= honest_HD.amin(0) - slack).all()
    assert (result_D <= honest_HD.amax(0) + slack).all()


@PROPERTY
@given(rows(3), st.permutations(range(9)))
def test_the_order_of_rows_does_not_matter(x_MD: torch.Tensor, order: list[int]) -> None:
    shuffled_MD = x_MD[[row for row in order if row < len(x_MD)]]
    assert torch.equal(TrimmedMean()(x_MD), TrimmedMean()(shuffled_MD))


@PROPERTY
@given(rows(3, broken=False), st.integers(-9, 9), st.integers(-3, 3))
def test_moves_and_scales_with_the_rows(x_MD: torch.Tensor, shift: int, scale: int) -> None:
    assert_near(TrimmedMean()(scale * x_MD + shift), scale * TrimmedMean()(x_MD) + shift)


def test_between_the_mean_and_the_median() -> None:
    x_MD = normal_rows(1, 7, 4)
    torch.testing.assert_close(TrimmedMean(f=0)(x_MD), Mean()(x_MD))
    torch.testing.assert_close(TrimmedMean(f=3)(x_MD), Median()(x_MD))


def test_one_broken_value_changes_its_own_coordinate_alone() -> None:
    x_MD = normal_rows(2, 7, 4)
    broken_MD = x_MD.clone()
    broken_MD[3, 1] = torch.inf
    others = [0, 2, 3]
    torch.testing.assert_close(TrimmedMean()(broken_MD)[others], TrimmedMean()(x_MD)[others])
