from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.attacks.search import best_factor, largest

from ..contract import PROPERTY


@PROPERTY
@given(st.floats(-5, 5), st.floats(0, 10), st.floats(-20, 20))
def test_finds_the_top_of_a_hill(least: float, width: float, top: float) -> None:
    found = best_factor(lambda x: -abs(x - top), least, least + width, evaluations=60, first=0)
    assert least <= found <= least + width
    assert found == pytest.approx(min(max(top, least), least + width), abs=1e-3)


@pytest.mark.parametrize("evaluations", [4, 7, 20, 21])
@pytest.mark.parametrize("first", [-3, 0, 1.5, 99])
def test_asks_no_more_often_than_it_may_and_stays_within_the_bounds(evaluations: int, first: float) -> None:
    asked: list[float] = []
    best_factor(lambda x: asked.append(x) or math.sin(5 * x), 0, 10, evaluations, first)
    assert len(asked) == len(set(asked)) <= evaluations
    assert len(asked) >= evaluations - 2
    assert asked[0] == min(max(first, 0), 10)
    assert 0 <= min(asked) <= max(asked) <= 10


def test_a_cliff_is_climbed_as_far_as_it_goes() -> None:
    """As under a rule that selects: the farther the better, until one is found out."""
    found = best_factor(lambda x: x if x <= 4.321 else 0.1, 0, 10, evaluations=30, first=1)
    assert 4.2 < found <= 4.321


@pytest.mark.parametrize("worth", [lambda x: math.nan, lambda x: 7.0])
def test_where_nothing_is_better_the_first_stays(worth: Callable[[float], float]) -> None:
    assert best_factor(worth, 0, 10, evaluations=20, first=1.5) == 1.5


@pytest.mark.parametrize("first", [1, 9])
def test_what_is_no_number_never_wins(first: float) -> None:
    found = best_factor(lambda x: math.nan if x > 3 else x, 0, 10, evaluations=30, first=first)
    assert 2 < found <= 3


@PROPERTY
@given(st.floats(1e-12, 1e12))
def test_the_largest_is_found_to_full_precision(bound: float) -> None:
    assert largest(lambda x: x <= bound) == pytest.approx(bound, rel=1e-9)
    assert largest(lambda x: x <= bound) <= bound


def test_the_largest_of_nothing_and_of_everything() -> None:
    assert largest(lambda x: x <= 0) == 0
    assert largest(lambda x: True) == 2.0**64
    assert largest(lambda x: False) == 0
