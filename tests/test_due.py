"""By rounds, by time, whichever comes first."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from holdfast.due import NEVER, Due

from .contract import PROPERTY


def told(every: int, period: float | None, times: list[float]) -> list[int]:
    clock: Iterator[float] = iter([0.0, *times])
    due = Due(every, period, lambda: next(clock))
    return [round for round in range(1, len(times) + 1) if due(round)]


def test_by_rounds_alone_no_time_is_enough() -> None:
    assert told(2, None, [100.0, 200.0, 300.0, 400.0]) == [2, 4]


def test_by_time_alone_no_round_is_enough() -> None:
    assert told(NEVER, 10.0, [4.0, 9.9, 10.0, 19.9, 30.0]) == [3, 5]


def test_what_falls_due_by_rounds_starts_the_time_anew() -> None:
    assert told(3, 10.0, [5.0, 8.0, 9.0, 18.0, 19.0, 20.0]) == [3, 5, 6]


def test_never() -> None:
    assert told(NEVER, None, [1e9] * 5) == []


@PROPERTY
@given(
    st.integers(1, 5),
    st.floats(0.5, 20),
    st.lists(st.floats(0, 10), min_size=1, max_size=30),
)
def test_no_wait_is_longer_than_either_allows(every: int, period: float, steps: list[float]) -> None:
    times = [sum(steps[: n + 1]) for n in range(len(steps))]
    due = told(every, period, times)
    last = 0.0
    for round, now in enumerate(times, 1):
        wanted = round % every == 0 or now - last >= period
        assert (round in due) == wanted
        last = now if wanted else last
