from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernels.sorting import comparators
from holdfast.types import IntArray

from ..contract import PROPERTY


def zeros_and_ones(rows: int) -> IntArray:
    """(rows, 2^rows) all inputs of a network that hold nothing but 0 and 1."""
    return np.array(list(product((0, 1), repeat=rows)), dtype=np.int64).T


def through(pairs: IntArray, values: IntArray) -> IntArray:
    values = values.copy()
    for lower, upper in pairs:
        values[[lower, upper]] = np.sort(values[[lower, upper]], axis=0)
    return values


def check_classes(classes: Sequence[int]) -> None:
    """By the 0-1 principle: each class ends up with as many ones as in the sorted order, for all inputs of 0 and 1."""
    inputs = zeros_and_ones(len(classes))
    found, expected = through(comparators(classes), inputs), np.sort(inputs, axis=0)
    for label in set(classes):
        of_class = np.array(classes) == label
        np.testing.assert_array_equal(found[of_class].sum(0), expected[of_class].sum(0))


def test_by_hand() -> None:
    assert comparators([0]).tolist() == []
    assert comparators([0, 1]).tolist() == [[0, 1]]
    assert comparators([0, 0]).tolist() == []
    assert comparators(range(4)).tolist() == [[0, 2], [1, 3], [0, 1], [2, 3], [1, 2]]


@pytest.mark.parametrize("rows", range(1, 13))
def test_sorts_all_zeros_and_ones(rows: int) -> None:
    inputs = zeros_and_ones(rows)
    np.testing.assert_array_equal(through(comparators(range(rows)), inputs), np.sort(inputs, axis=0))


@pytest.mark.parametrize("rows", range(1, 11))
def test_a_window_of_ranks_gets_its_values(rows: int) -> None:
    for low in range(rows):
        for high in range(low + 1, rows + 1):
            check_classes([0] * low + [1] * (high - low) + [2] * (rows - high))
            check_classes([0] * low + [1] * (high - low) + [0] * (rows - high))


@PROPERTY
@given(st.lists(st.integers(0, 3), min_size=1, max_size=9))
def test_any_classes_get_their_values(classes: list[int]) -> None:
    check_classes(classes)


@pytest.mark.parametrize("rows", [13, 19, 32, 33, 64, 100])
def test_sorts_more_rows(rows: int) -> None:
    values = np.random.default_rng(rows).integers(0, 2 * rows, (rows, 50))
    np.testing.assert_array_equal(through(comparators(range(rows)), values), np.sort(values, axis=0))


@pytest.mark.parametrize("rows", [5, 19, 64])
def test_fewer_classes_need_fewer_comparators(rows: int) -> None:
    half = rows // 2
    everything = len(comparators(range(rows)))
    assert len(comparators([0] * half + [1] + [0] * (rows - half - 1))) < everything
    assert len(comparators([0] * rows)) == 0
