from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernels.sampling import subsets
from holdfast.seeding import address

from ..contract import PROPERTY

MASK = 2**64 - 1


def splitmix(state: int, step: int) -> int:
    """The output of SplitMix64 after that many steps."""
    z = (state + step * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def by_hand(start: int, columns: int, k: int) -> list[int]:
    """Selection sampling, with the lower half of a word for an even column and the upper one for an odd one."""
    found: list[int] = []
    for c in range(columns):
        bits = (splitmix(start, c // 2 + 1) >> 32 * (c % 2)) % 2**32
        if bits * (columns - c) // 2**32 < k - len(found):
            found.append(c)
    return found


@PROPERTY
@given(st.lists(st.integers(0, MASK), min_size=1, max_size=3), st.integers(1, 40), st.floats(0, 1))
def test_agrees_with_a_plain_loop(words: list[int], columns: int, part: float) -> None:
    k = round(part * columns)
    found_KC = subsets(np.array(words, dtype=np.uint64), columns, k)
    assert found_KC.tolist() == [by_hand(word, columns, k) for word in words]


@pytest.mark.parametrize("columns", [1023, 1024, 1025, 2500])
def test_agrees_with_a_plain_loop_beyond_one_block(columns: int) -> None:
    assert subsets(np.array([7], dtype=np.uint64), columns, 99).tolist() == [by_hand(7, columns, 99)]


def test_does_not_depend_on_the_number_of_threads() -> None:
    words = address(1, "test", np.arange(300))
    alone = np.concatenate([subsets(words[i : i + 1], 1000, 10) for i in range(300)])
    assert (subsets(words, 1000, 10) == alone).all()


def test_all_subsets_are_equally_likely() -> None:
    """χ² of 20 subsets has 19 degrees of freedom; the chance of more than 50 is 1.3e-4, and the addresses are fixed."""
    found = Counter(map(tuple, subsets(address(3, "test", np.arange(20_000)), 6, 3).tolist()))
    assert len(found) == 20
    assert sum((count - 1000) ** 2 / 1000 for count in found.values()) < 50


def test_all_or_nothing() -> None:
    words = np.array([1, 2], dtype=np.uint64)
    assert subsets(words, 5, 5).tolist() == [[0, 1, 2, 3, 4]] * 2
    assert subsets(words, 5, 0).shape == (2, 0)
    assert subsets(words[:0], 5, 2).shape == (0, 2)
