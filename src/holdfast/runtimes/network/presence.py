"""Who is there and who makes progress: presence from liveliness tokens, progress from a counter that must grow."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Progress", "Suspension"]

ENOUGH = 3
"""From how many intervals on a bound is believed."""
DEVIATIONS = 10


@dataclass
class Progress:
    """When a node at work was last seen to get on, and how long that usually takes.

    A node is suspected after max(patience, median + 10 · MAD) seconds without growth of its counter, where median and
    MAD (the median absolute deviation) are those of its own last intervals; before there are three, after `unknown`.

    Args:
        patience: seconds before which nobody is suspected.
        unknown: seconds that a node has of which nothing is known yet.

    Example:
        >>> progress = Progress(patience=0.1)
        >>> progress.start(0.0)
        >>> for tick in range(1, 5):
        ...     progress.beat(tick, now=float(tick))
        >>> progress.stalled(now=4.9), progress.stalled(now=5.1)
        (False, True)
    """

    patience: float
    unknown: float = math.inf
    count: int = 0
    since: float | None = None
    intervals: deque[float] = field(default_factory=lambda: deque(maxlen=50))

    def start(self, now: float) -> None:
        """Work begins."""
        self.since = now

    def beat(self, count: int, now: float) -> None:
        """The node says how much it has done."""
        if count <= self.count:
            return
        self.count = count
        if self.since is not None and now >= self.since:  # before it was asked to work there is nothing to measure from
            self.intervals.append(now - self.since)
        self.since = now if self.since is None else max(self.since, now)

    def bound(self) -> float:
        """Seconds without growth after which the node is suspected."""
        if len(self.intervals) < ENOUGH:
            return max(self.patience, self.unknown)
        median = float(np.median(self.intervals))
        return max(self.patience, median + DEVIATIONS * float(np.median(np.abs(np.array(self.intervals) - median))))

    def stalled(self, now: float) -> bool:
        """Whether the node is suspected."""
        return self.since is not None and now - self.since > self.bound()


@dataclass
class Suspension:
    """How long a node that keeps failing is left out: 1, 2, 4 … 64 rounds; one good round, and it starts anew.

    Example:
        >>> suspension = Suspension()
        >>> suspension.failed(round=5)
        >>> suspension.over(6), suspension.over(7)
        (False, True)
    """

    failures: int = 0
    until: int = 0

    def failed(self, round: int) -> None:
        """The node failed in a round."""
        self.until = round + 1 + 2 ** min(self.failures, 6)
        self.failures += 1

    def served(self) -> None:
        """The node did its work."""
        self.failures = 0

    def over(self, round: int) -> bool:
        """Whether it is asked again."""
        return round >= self.until
