"""Which ranks of a coordinate a rule looks at, for each number of values that are present."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from holdfast.kernels.sorting import comparators
from holdfast.types import IntArray

__all__ = ["Ranks"]


@dataclass(frozen=True)
class Ranks:
    """The mean of the ranks low ≤ r < high in ascending order, or with keep of the values nearest to that mean.

    Args:
        low: (M + 1,) by the number m of values present, the first rank of the centre.
        high: (M + 1,) the rank after its last.
        keep: (M + 1,) how many values nearest to the centre the result is the mean of; 0 for the centre itself.

    Example:
        >>> median = Ranks.of(5, lambda m: ((m - 1) // 2, m // 2 + 1))
        >>> int(median.low[4]), int(median.high[4])
        (1, 3)
    """

    low: IntArray
    high: IntArray
    keep: IntArray

    @classmethod
    def of(cls, rows: int, window: Callable[[int], tuple[int, int]], keep: Callable[[int], int] | None = None) -> Ranks:
        """The ranks as functions of the number of values present."""
        present = range(1, rows + 1)
        low, high = np.array([(0, 0), *map(window, present)], dtype=np.int64).T
        kept = [0, *map(keep, present)] if keep else [0] * (rows + 1)
        return cls(low.copy(), high.copy(), np.array(kept, dtype=np.int64))

    @property
    def rows(self) -> int:
        """How many values there are where none is missing."""
        return len(self.low) - 1

    @cached_property
    def some(self) -> IntArray:
        """The comparators that suffice where no value is missing."""
        rows = np.arange(self.rows)
        if self.keep[-1]:
            return comparators(rows.tolist())
        return comparators(np.digitize(rows, [self.low[-1], self.high[-1]]).tolist())

    @cached_property
    def all(self) -> IntArray:
        """The comparators that put every rank in order."""
        return comparators(range(self.rows))
