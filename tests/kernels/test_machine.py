from __future__ import annotations

from collections.abc import Callable

import numba
import pytest

from holdfast.kernels import machine


def test_little_work_stays_on_the_callers_thread(threads: Callable[[int], None]) -> None:
    threads(2)
    calls: list[tuple[int, int]] = []
    machine.in_threads(lambda first, last: calls.append((first, last)), 10, machine.WORTH_THREADS - 1)
    assert calls == [(0, 10)]
    machine.in_threads(lambda first, last: calls.append((first, last)), 7, machine.WORTH_THREADS)
    assert sorted(calls[1:]) == [(0, 3), (3, 7)]


def test_an_error_in_a_thread_reaches_the_caller(threads: Callable[[int], None]) -> None:
    def fail(first: int, last: int) -> None:
        raise ArithmeticError(f"{first} to {last}")

    threads(2)
    with pytest.raises(ArithmeticError, match="0 to 2"):
        machine.in_threads(fail, 4, machine.WORTH_THREADS)


def test_compiles_where_nothing_can_be_kept_on_disk() -> None:
    """A function without a file has no place for its machine code, like one in a folder that is read-only."""
    nowhere: dict[str, Callable[[int], int]] = {}
    exec("def twice(number):\n    return 2 * number", nowhere)
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(nowhere["twice"])
    assert machine.compiled(nowhere["twice"])(21) == 42
