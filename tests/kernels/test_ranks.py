from __future__ import annotations

import numpy as np
import pytest

from holdfast.kernels import Ranks

from .oracles import median_of, nearest_of


def test_by_hand() -> None:
    ranks = Ranks.of(4, lambda m: (0, m), lambda m: m // 2)
    assert ranks.rows == 4
    assert ranks.low.tolist() == [0, 0, 0, 0, 0]
    assert ranks.high.tolist() == [0, 1, 2, 3, 4]
    assert ranks.keep.tolist() == [0, 0, 1, 1, 2]


def test_without_keep_it_is_the_centre_itself() -> None:
    assert not median_of(5).keep.any()


@pytest.mark.parametrize("rows", [1, 2, 5, 19])
def test_comparators_leave_no_more_than_they_must(rows: int) -> None:
    """All ranks are needed where the nearest values are looked for, and where values may be missing."""
    assert len(median_of(rows).some) <= len(median_of(rows).all)
    np.testing.assert_array_equal(nearest_of(rows).some, nearest_of(rows).all)


@pytest.mark.parametrize("rows", [1, 2, 5, 8, 19])
def test_some_comparators_put_the_window_in_its_place(rows: int) -> None:
    ranks = median_of(rows)
    values = np.random.default_rng(0).permuted(np.tile(np.arange(rows), (200, 1)), axis=1).T
    for lower, upper in ranks.some:
        values[[lower, upper]] = np.sort(values[[lower, upper]], axis=0)
    window = slice(ranks.low[-1], ranks.high[-1])
    np.testing.assert_array_equal(np.sort(values[window], axis=0).T, np.tile(np.arange(rows)[window], (200, 1)))
