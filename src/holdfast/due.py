"""When something that recurs in a run is to be done again, and how long rounds take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["NEVER", "Clock", "Due"]

NEVER = 2**62
"""A number of rounds that no run reaches, for what never falls due by rounds."""


class Due:
    """Tells after which rounds something is due: every so many, or so many seconds after it last was.

    Args:
        every: after the rounds that this number divides; `NEVER` for none.
        period: seconds; None lets no time be enough.
        clock: the time in seconds; another clock makes a test independent of the real one.

    Example:
        >>> times = iter([0.0, 4.0, 6.0, 9.0, 12.0])
        >>> due = Due(4, 5.0, lambda: next(times))
        >>> [round for round in (1, 2, 3, 4) if due(round)]
        [2, 4]
    """

    def __init__(self, every: int, period: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.every, self.period, self.clock = every, period, clock
        self.last = clock()

    def __call__(self, round: int) -> bool:
        """Whether it is due after a round; to be asked once a round."""
        now = self.clock()
        due = round % self.every == 0 or (self.period is not None and now - self.last >= self.period)
        self.last = now if due else self.last
        return due


@dataclass
class Clock:
    """Adds up the seconds spent inside it, and remembers those of the first time."""

    seconds: float = 0.0
    first: float | None = None

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = time.perf_counter() - self._start
        self.seconds += spent
        self.first = spent if self.first is None else self.first

    def rate(self, rounds: int) -> float | None:
        """Rounds a second."""
        return rounds / self.seconds if self.seconds else None

    def rate_after_first(self, rounds: int) -> float | None:
        """Rounds a second without the first, in which much is done once."""
        rest = self.seconds - (self.first or 0.0)
        return (rounds - 1) / rest if rounds > 1 and rest > 0 else None
