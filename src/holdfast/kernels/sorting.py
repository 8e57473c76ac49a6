"""Sorting networks: which pairs of rows to put in order, one after the other, to put all of them in order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from holdfast.types import IntArray

__all__ = ["comparators"]


@cache
def _merge_exchange(rows: int) -> list[tuple[int, int]]:
    """Batcher's network for any number of rows: (lower, upper) pairs, about rows · log²(rows) / 4 of them."""
    pairs, top = [], 1 << max(0, (rows - 1).bit_length() - 1)
    run = top
    while run > 0:
        width, offset, distance = top, 0, run
        while True:
            pairs += [(i, i + distance) for i in range(rows - distance) if i & run == offset]
            if width == run:
                break
            distance, width, offset = width - run, width // 2, run
        run //= 2
    return pairs


def comparators(classes: Sequence[int]) -> IntArray:
    """The pairs that sort as far as it matters which rank falls in which class.

    Ranks of the same class may end in any order, so a comparator whose two outputs end in one class without
    being compared again is left out: for a median all ranks but the middle ones are of one class, for a trimmed mean
    there are three.

    Args:
        classes: the class of each rank, from the least.

    Returns:
        (E, 2) pairs (i, j): rows i and j are exchanged unless x_i ≤ x_j.

    Example:
        >>> comparators([0, 1, 2]).tolist()
        [[0, 2], [0, 1], [1, 2]]
        >>> len(comparators(range(19))), len(comparators([0] * 9 + [1] + [0] * 9))
        (91, 75)

    Source: Knuth, "The Art of Computer Programming", volume 3, section 5.2.2, Algorithm M.
    """
    return _needed(tuple(classes))


@cache
def _needed(classes: tuple[int, ...]) -> IntArray:
    label, kept = list(classes), []
    for fresh, (i, j) in enumerate(reversed(_merge_exchange(len(label)))):
        if label[i] != label[j]:
            kept.append((i, j))
            label[i], label[j] = -2 * fresh - 1, -2 * fresh - 2
    pairs = np.array(kept[::-1], dtype=np.int64).reshape(-1, 2)
    pairs.setflags(write=False)  # it is handed out again and again
    return pairs
