from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.triggers.schedules import due, intervals, scaled, sends

from ..contract import PROPERTY


def rounds_of(times: int, rounds: int) -> list[int]:
    return [round for round in range(1, rounds + 1) if due(np.array([times]), rounds, round)[0]]


@pytest.mark.parametrize(
    ("times", "rounds", "expected"),
    [
        (1, 10, [10]),
        (2, 10, [5, 10]),
        (3, 10, [4, 8, 10]),
        (4, 10, [3, 6, 9, 10]),
        (6, 10, [2, 4, 6, 8, 9, 10]),
        (7, 10, [2, 4, 6, 7, 8, 9, 10]),
        (2, 9, [5, 9]),
        (3, 3, [1, 2, 3]),
        (1, 1, [1]),
    ],
)
def test_by_hand(times: int, rounds: int, expected: list[int]) -> None:
    assert rounds_of(times, rounds) == expected


@PROPERTY
@given(rounds=st.integers(1, 60), share=st.floats(0, 1))
def test_speaks_so_many_times_exactly(rounds: int, share: float) -> None:
    times = max(1, ceil(share * rounds))
    found = rounds_of(times, rounds)
    assert len(found) == times
    every = ceil(rounds / times)
    missing = [round for round in range(every, rounds + 1, every) if round not in found]
    assert not missing, "left out a multiple of the interval"
    extra = [round for round in found if round % every]
    assert not extra or set(range(extra[0], rounds + 1)) <= set(found), "not in one piece at the end"


def test_worth_is_scaled_to_what_others_have() -> None:
    np.testing.assert_array_equal(scaled(np.array([3.0, 1.0, np.nan, 2.0])), [1.0, 0.0, np.nan, 0.5])
    np.testing.assert_array_equal(scaled(np.array([4.0, 4.0, np.nan])), [1.0, 1.0, np.nan])
    np.testing.assert_array_equal(scaled(np.array([4.0, np.inf, -np.inf])), [1.0, np.nan, np.nan])
    assert np.isnan(scaled(np.full(2, np.nan))).all()
    assert not len(scaled(np.zeros(0)))


def test_how_often() -> None:
    ten = np.full(5, 10)
    assert sends(np.array([0.0, 0.01, 0.5, 1.0, np.nan]), ten, 1).tolist() == [1, 1, 5, 10, 10]
    assert sends(np.array([0.0, 0.01, 0.5, 1.0, np.nan]), ten, 3).tolist() == [1, 1, 2, 4, 10]
    assert sends(np.array([7 / 10]), np.array([10]), 1).tolist() == [7], "rounding made it 8"
    assert intervals(np.array([1, 3, 4, 10]), ten[:4]).tolist() == [10, 4, 3, 1]
