"""Uniform subsets that anyone can draw again from eight bytes, the same on every machine and with every library."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.kernels.counters import AT_ONCE, room, uniform_bits
from holdfast.kernels.machine import compiled, in_threads
from holdfast.types import IntArray

__all__ = ["subsets"]


def subsets(addresses_K: NDArray[np.uint64], columns: int, k: int) -> IntArray:
    """Of the columns k for each address, in ascending order; all subsets of that size are equally likely.

    Column c is taken with probability (k - how many are taken already) / (columns - c), by its own 32 random bits.

    Returns:
        (K, k).

    Example:
        >>> subsets(np.array([1, 2], dtype=np.uint64), columns=9, k=3)
        array([[2, 7, 8],
               [0, 2, 8]])

    Source: Knuth, "The Art of Computer Programming", volume 2, Section 3.4.2, Algorithm S.
    """
    found = np.empty((len(addresses_K), k), dtype=np.int64)
    in_threads(lambda first, last: _select(addresses_K, first, last, columns, found), len(found), len(found) * columns)
    return found


@compiled
def _select(addresses: NDArray[Any], first: int, last: int, columns: int, found: IntArray) -> None:
    words, k = room(), found.shape[1]
    for row in range(first, last):
        taken = 0
        for start in range(0, columns, AT_ONCE):
            count = min(AT_ONCE, columns - start)
            bits = uniform_bits(addresses[row], start, count, words)
            for i in range(count):
                left = columns - start - i
                if (np.int64(bits[i]) & 0xFFFFFFFF) * left >> 32 < k - taken:  # one of 0 … left - 1, all as likely
                    found[row, taken] = start + i
                    taken += 1
