from __future__ import annotations

from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.minimum_diameter import MinimumDiameter
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.nnm import Nnm
from holdfast.errors import InputError

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows, rows, rows_with_liars
from .oracles_subsets import minimum_diameter


def test_by_hand() -> None:
    """The three rows 4, 5, 7 span 3, any other three at least 4."""
    assert_near(MinimumDiameter(f=2)(torch.tensor([[0.0], [4.0], [11.0], [5.0], [7.0]])), [16 / 3])


@PROPERTY
@given(st.integers(0, 3), st.data())
def test_agrees_with_every_subset_in_turn(f: int, data: st.DataObject) -> None:
    x_MD = data.draw(rows(2 * f + 1))
    assert_near(MinimumDiameter(f=f)(x_MD), minimum_diameter(as_lists(x_MD), f))


@pytest.mark.parametrize(("count", "f"), [(11, 5), (12, 4)])
def test_agrees_where_the_search_must_branch(count: int, f: int) -> None:
    for seed in range(3):
        x_MD = normal_rows(seed, count, 40)
        assert_near(MinimumDiameter(f=f)(x_MD), minimum_diameter(as_lists(x_MD), f))


def test_a_tie_goes_to_the_first_subset() -> None:
    corners_MD = torch.tensor([[9.0, 9.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    assert_near(MinimumDiameter(f=2)(corners_MD), [2 / 3, 2 / 3])


def test_more_than_f_broken_rows_stay_out() -> None:
    x_MD = torch.tensor([[torch.nan], [3.0], [torch.inf], [1.0], [torch.nan]])
    assert MinimumDiameter(f=1)(x_MD).item() == 2.0
    assert MinimumDiameter(f=1)(torch.full((3, 1), torch.nan)).isnan().all()


def test_after_mixing_it_leaves_the_liars_out() -> None:
    """The three honest mixtures are one point: where rounding made the way there longer than back, the liars won."""
    x_BMD = normal_rows(6, 50, 5, 1)
    x_BMD[:, :2] = 1e6
    rule = Aggregator.chain([Nnm(f=2), MinimumDiameter(f=2)])
    assert_near(rule(x_BMD), x_BMD[:, 2:].mean(1).tolist())


def test_ends_at_the_greatest_f_and_refuses_more() -> None:
    """Of two clouds side by side the one with more rows is kept whole, and nothing of the other."""
    x_MD = normal_rows(3, 65, 9)
    x_MD[::2] += 100
    assert_near(MinimumDiameter(f=32)(x_MD), x_MD[::2].mean(0))
    with pytest.raises(InputError, match="f must be less than or equal to 32, but 33"):
        MinimumDiameter(f=33)


@PROPERTY
@given(st.integers(0, 10**6), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows(seed: int, scale: float, shift: float) -> None:
    x_MD, rule = normal_rows(seed, 7, 3), MinimumDiameter(f=2)
    torch.testing.assert_close(rule(scale * x_MD + shift), scale * rule(x_MD) + shift)


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(7)))
def test_the_order_of_rows_decides_only_between_subsets_of_one_diameter(seed: int, order: list[int]) -> None:
    x_MD = normal_rows(seed, 7, 3)
    assert diameter(x_MD[order]) == diameter(x_MD)


def diameter(x_MD: torch.Tensor) -> float:
    """Of the subset that the rule takes."""
    weights_M = MinimumDiameter(f=2).weigh({}, Mixture(x_MD))[1]
    assert (weights_M > 0).sum() == len(x_MD) - 2
    chosen_HD = x_MD[weights_M > 0]
    return max((a - b).norm().item() for a, b in combinations(chosen_HD, 2))


@PROPERTY
@given(rows_with_liars())
def test_stays_within_the_spread_of_the_honest_rows(case: tuple[int, torch.Tensor, torch.Tensor]) -> None:
    """The subset shares a row with the honest and has no greater diameter, so each of its rows is that near."""
    f, honest_HD, x_MD = case
    x_HD = honest_HD.double()
    spread = max(((a - b).norm() for a, b in combinations(x_HD, 2)), default=torch.tensor(0.0))
    error = (MinimumDiameter(f=f)(x_MD).double() - x_HD.mean(0)).norm()
    assert error <= 2 * spread * (1 + 1e-5) + 1e-5 * x_HD.abs().max()
