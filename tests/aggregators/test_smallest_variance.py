from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.smallest_variance import SmallestVariance
from holdfast.errors import InputError

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows, rows
from .oracles_subsets import smallest_variance


def test_by_hand() -> None:
    """Along a line the variance decides: 4, 5, 7 have 14/9, any other three more."""
    assert_near(SmallestVariance(f=2)(torch.tensor([[0.0], [4.0], [11.0], [5.0], [7.0]])), [16 / 3])


def test_the_greatest_eigenvalue_counts_and_not_the_sum_of_all() -> None:
    """A triangle of side 2 varies by 2/3 in every direction, 4/3 in all; three on a line, 1.1 apart, by 0.81 in one."""
    x_MD = torch.tensor([[-2.2, 0.0], [-1.1, 0.0], [0.0, 0.0], [2.0, 0.0], [1.0, 3**0.5]])
    assert_near(SmallestVariance(f=2)(x_MD), [1.0, 3**0.5 / 3])


@PROPERTY
@given(st.integers(0, 3), st.data())
def test_agrees_with_every_subset_in_turn(f: int, data: st.DataObject) -> None:
    x_MD = data.draw(rows(2 * f + 1))
    assert_near(SmallestVariance(f=f)(x_MD), smallest_variance(as_lists(x_MD), f))


@pytest.mark.parametrize("size", [0.1, 1.7])
def test_a_tie_up_to_rounding_goes_to_the_first_subset(size: float) -> None:
    """In a regular pentagon any three corners in a row vary alike, and no other three vary less."""
    angle_M = torch.arange(5, dtype=torch.float64) * 2 * torch.pi / 5
    x_MD = size * torch.stack([angle_M.cos(), angle_M.sin()], dim=-1)
    assert_near(SmallestVariance(f=2)(x_MD), x_MD[:3].mean(0))


def test_agrees_where_the_subsets_come_in_portions() -> None:
    x_MD = normal_rows(1, 14, 5)
    assert_near(SmallestVariance(f=4)(x_MD), smallest_variance(as_lists(x_MD), 4))
    assert_near(SmallestVariance(f=4)(x_MD.flip(0)), smallest_variance(as_lists(x_MD), 4))


def test_more_than_f_broken_rows_stay_out() -> None:
    x_MD = torch.tensor([[torch.nan], [3.0], [torch.inf], [1.0], [torch.nan]])
    assert SmallestVariance(f=1)(x_MD).item() == 2.0
    assert SmallestVariance(f=1)(torch.full((3, 1), torch.nan)).isnan().all()


def test_refuses_a_search_that_would_not_end() -> None:
    SmallestVariance(f=6).check(20)
    with pytest.raises(InputError, match=r"at most 100,000 subsets .* 'f=8 with 20 rows, which have 125,970'"):
        SmallestVariance(f=8).check(20)
    with pytest.raises(InputError, match="at least 17 rows"):
        SmallestVariance(f=8).check(16)


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(7)), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows_in_any_order(seed: int, order: list[int], scale: float, shift: float) -> None:
    x_MD, rule = normal_rows(seed, 7, 3), SmallestVariance(f=2)
    torch.testing.assert_close(rule((scale * x_MD + shift)[order]), scale * rule(x_MD) + shift)


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([torch.nan, torch.inf, 1e18, 1e30, 3e38, -50.0]))
def test_liars_far_away_are_left_out(seed: int, lie: float) -> None:
    x_MD = normal_rows(seed, 7, 3).float()
    x_MD[[0, 4]] = lie
    assert_near(SmallestVariance(f=2)(x_MD), x_MD[[1, 2, 3, 5, 6]].mean(0))
