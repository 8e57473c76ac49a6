from __future__ import annotations

import numpy as np
import pytest

from holdfast.kernels.counters import AT_ONCE, room, uniform_bits

from .oracles import random_bits


def test_splitmix_gives_the_published_numbers() -> None:
    # the first output of SplitMix64 from seed 1234567 (Vigna's reference implementation)
    lower, upper = uniform_bits(np.uint64(1234567), 0, 2, room())[:2].view(np.uint32).tolist()
    assert upper << 32 | lower == 6457827717110365317


@pytest.mark.parametrize("start", [0, 1, 6, 1023, 2**31 - 7])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_agrees_with_integers_of_any_length(start: int, count: int) -> None:
    words = room()
    words[:] = 7
    found = uniform_bits(np.uint64(2**64 - 5), start, count, words)[:count].view(np.uint32)
    assert found.tolist() == [random_bits(2**64 - 5, start + i) for i in range(count)]


@pytest.mark.parametrize("start", [0, 1])
def test_there_is_room_for_all_columns_at_once(start: int) -> None:
    found = uniform_bits(np.uint64(3), start, AT_ONCE, room())
    assert len(found) >= AT_ONCE
    assert found[AT_ONCE - 1].view(np.uint32) == random_bits(3, start + AT_ONCE - 1)


def long_row(address: int) -> np.ndarray:
    starts = range(0, 2**15, AT_ONCE)
    bits = [uniform_bits(np.uint64(address), start, AT_ONCE, room())[:AT_ONCE] for start in starts]
    return np.concatenate(bits).view(np.uint32) / 2.0**32


def test_neighbouring_rows_and_columns_are_independent_and_uniform() -> None:
    """Correlations of 32,768 pairs have a standard deviation of 1 / 181; 16 counts of 4096 pass a χ² test."""
    rows = np.stack([long_row(0), long_row(1)])
    assert abs(np.corrcoef(rows[0], rows[1])[0, 1]) < 5 / 181
    assert abs(np.corrcoef(rows[0, :-1], rows[0, 1:])[0, 1]) < 5 / 181
    counts = np.bincount((rows.ravel() * 16).astype(int), minlength=16)
    assert ((counts - 4096.0) ** 2 / 4096).sum() < 37.7  # 15 degrees of freedom, exceeded once in 1000
