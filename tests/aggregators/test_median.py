from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.median import Median

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, median, normal_rows, rows, rows_with_liars

EITHER = st.booleans()


def test_by_hand() -> None:
    nan = torch.nan
    x_MD = torch.tensor([[1.0, 5.0, nan], [3.0, nan, nan], [2.0, 7.0, nan], [9.0, 6.0, nan]])
    assert_near(Median(f=1)(x_MD), [2.5, 6.0, 0.0])
    assert_near(Median(f=1, upper=True)(x_MD), [3.0, 6.0, 0.0])


@PROPERTY
@given(rows(1), EITHER)
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor, upper: bool) -> None:
    assert_near(Median(f=0, upper=upper)(x_MD), median(as_lists(x_MD), upper))


@PROPERTY
@given(rows_with_liars(), EITHER)
def test_lies_in_the_range_of_the_honest_rows(case: tuple[int, torch.Tensor, torch.Tensor], upper: bool) -> None:
    f, honest_HD, x_MD = case
    result_D = Median(f=f, upper=upper)(x_MD)
    assert (result_D >= honest_HD.amin(0)).all()
    assert (result_D <= honest_HD.amax(0)).all()


@PROPERTY
@given(rows(3), EITHER, st.permutations(range(9)))
def test_the_order_of_rows_does_not_matter(x_MD: torch.Tensor, upper: bool, order: list[int]) -> None:
    shuffled_MD = x_MD[[row for row in order if row < len(x_MD)]]
    assert torch.equal(Median(upper=upper)(x_MD), Median(upper=upper)(shuffled_MD))


@PROPERTY
@given(rows(3, broken=False), st.integers(-9, 9), st.integers(-3, 3))
def test_moves_and_scales_with_the_rows(x_MD: torch.Tensor, shift: int, scale: int) -> None:
    assert_near(Median()(scale * x_MD + shift), scale * Median()(x_MD) + shift)


def test_the_middle_of_two_great_values_does_not_overflow() -> None:
    assert Median(f=0)(torch.full((2, 1), 3e38)).item() == torch.tensor(3e38).item()


def test_ignores_weights() -> None:
    x_MD = normal_rows(1, 5, 3)
    assert torch.equal(Median()(x_MD, torch.tensor([9, 0, 0, 0, 0])), Median()(x_MD))
