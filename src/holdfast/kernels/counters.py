"""Random bits by counting: those of a column are a function of its row's address and its place, of nothing else.

So a loop makes them where it needs them, on any number of threads, for a row alone or among others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from holdfast.kernels.machine import compiled

__all__ = ["AT_ONCE", "room", "uniform_bits"]

AT_ONCE = 1024
"""For how many columns bits are made at once."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


@compiled
def room() -> NDArray[np.uint64]:
    """Where the bits of `AT_ONCE` columns fit, whether the first of them is even or odd."""
    return np.empty(AT_ONCE // 2 + 1, np.uint64)


@compiled
def uniform_bits(address: Any, start: int, count: int, words: NDArray[np.uint64]) -> NDArray[np.int32]:
    """32 random bits for each of some columns of the row with that address; ``words`` is overwritten.

    Column d takes half d mod 2, the lower first, of output ⌊d / 2⌋ of SplitMix64 started at the address.

    Source: Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014), with Stafford's
    variant 13 of the finaliser, as in `holdfast.seeding`.
    """
    base = np.uint64(start // 2 + 1)
    for i in range((count + start % 2 + 1) // 2):
        z = address + (base + np.uint64(i)) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _MIX1
        z = (z ^ (z >> np.uint64(27))) * _MIX2
        words[i] = z ^ (z >> np.uint64(31))
    return words.view(np.int32)[start % 2 :]
