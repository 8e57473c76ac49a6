from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.geometric_median import GeometricMedian

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows, rows, rows_with_liars, whole
from .oracles_subsets import least_sum_of_distances, sum_of_distances

EXACT = {"iterations": 20_000, "tolerance": 1e-9}


def test_by_hand_where_the_diagonals_of_four_rows_cross() -> None:
    x_MD = torch.tensor([[1.0, 4.0], [1.0, 1.0], [4.0, 2.0], [0.0, 2.0]])
    assert_near(GeometricMedian(f=1)(x_MD), [1.0, 2.0])


def test_by_hand_on_a_line_it_is_the_median() -> None:
    x_MD = torch.tensor([[0.0], [1.0], [5.0], [7.0], [100.0]])
    assert_near(GeometricMedian(f=2, **EXACT)(x_MD), [5.0])


def test_by_hand_at_a_row_that_the_others_cannot_pull_away() -> None:
    """The unit vectors from (0, 0) to the others add up to (√2 - 1)·(1, 0) or so, less than 1."""
    x_MD = torch.tensor([[0.0, 0.0], [2.0, 2.0], [3.0, -3.0], [-5.0, 0.0]])
    assert_near(GeometricMedian(f=1, **EXACT)(x_MD), [0.0, 0.0])


@PROPERTY
@given(rows(1, 6))
def test_no_point_has_a_lesser_sum_of_distances(x_MD: torch.Tensor) -> None:
    x, found_D = as_lists(x_MD), GeometricMedian(f=0, **EXACT)(x_MD.double())
    if any(whole(row) for row in x):
        assert sum_of_distances(x, found_D.numpy()) <= least_sum_of_distances(x) * (1 + 1e-6) + 1e-4
    else:
        assert not found_D.isfinite().all()


@PROPERTY
@given(rows_with_liars())
def test_keeps_the_proven_distance_from_the_honest_mean(case: tuple[int, torch.Tensor, torch.Tensor]) -> None:
    f, honest_HD, x_MD = case
    honest_HD = honest_HD.double()
    mean_D, count = honest_HD.mean(0), len(honest_HD)
    spread = (honest_HD - mean_D).norm(dim=1).max()
    error = (GeometricMedian(f=f)(x_MD).double() - mean_D).norm()
    assert error <= 2 * count / (count - f) * spread + 1e-5 * honest_HD.abs().max() + 1e-5


@pytest.mark.parametrize("distance", [1e2, 1e4, 1e6, 1e8, 1e15, 1e20, 1e24, 1e30, 1e38])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_pull_no_harder_from_further_away(distance: float, dtype: torch.dtype) -> None:
    for seed in range(5):
        honest_HD, lies_BD = normal_rows(seed, 5, 6), distance * normal_rows(seed + 99, 4, 6)
        found_D = GeometricMedian(f=4)(torch.cat([lies_BD, honest_HD]).to(dtype)).double()
        mean_D = honest_HD.mean(0)
        assert (found_D - mean_D).norm() < 1.5 * (honest_HD - mean_D).norm(dim=1).max()


def test_takes_a_far_row_for_what_it_is_up_to_the_horizon() -> None:
    """At infinity a row pulls with a unit vector; what it adds at 1e4 is within 1e-3 of that, not nothing."""
    near_MD = normal_rows(5, 6, 3)
    far = torch.tensor([[1.0, 2.0, -2.0]]).double() / 3
    at_D = [GeometricMedian(f=1, **EXACT)(torch.cat([near_MD, distance * far])) for distance in (1e4, 1e5)]
    torch.testing.assert_close(at_D[0], at_D[1], atol=1e-3, rtol=0)
    assert (at_D[0] - GeometricMedian(f=0, **EXACT)(near_MD)) @ far[0] > 0.05


def test_each_inbox_of_a_batch_stops_on_its_own() -> None:
    x_BMD = torch.stack([normal_rows(1, 7, 3), 1e3 * normal_rows(2, 7, 3), torch.ones(7, 3).double()])
    x_BMD[2, 3] = 5.0
    for rule in (GeometricMedian(f=3), GeometricMedian(f=3, iterations=3)):
        assert torch.equal(rule(x_BMD), torch.stack([rule(x_MD) for x_MD in x_BMD]))


def test_the_options_say_how_near_it_gets() -> None:
    x_MD = normal_rows(3, 9, 2)
    exact_D = GeometricMedian(f=2, **EXACT)(x_MD)
    errors = [(GeometricMedian(f=2, tolerance=0, iterations=i)(x_MD) - exact_D).norm().item() for i in (1, 5, 25)]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert (GeometricMedian(f=2, tolerance=0.3)(x_MD) - exact_D).norm() > 1e-4
    torch.testing.assert_close(GeometricMedian(f=2, smoothing=1e3)(x_MD), x_MD.mean(0))


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(7)), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows_in_any_order(seed: int, order: list[int], scale: float, shift: float) -> None:
    x_MD, rule = normal_rows(seed, 7, 3), GeometricMedian(f=2)
    found_D, expected_D = rule((scale * x_MD + shift)[order]), scale * rule(x_MD) + shift
    torch.testing.assert_close(found_D, expected_D, rtol=1e-4, atol=1e-4)
