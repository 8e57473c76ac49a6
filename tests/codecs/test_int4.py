from __future__ import annotations

import pytest
import torch

from holdfast.codecs.int4 import Int4

from .draws import draws, rows


def test_by_hand() -> None:
    """Whole multiples of the scale, here 14 / 7 = 2, need no rounding; level + 7 is sent, the first lower."""
    _, payload = Int4().encode({}, torch.tensor([[14.0, -6.0, 0.0]]), draws(0))
    assert payload.tensors["levels"].tolist() == [[14 + 16 * 4, 7]]
    assert payload.tensors["scales"].tolist() == [[2.0]]
    assert Int4().decode(payload).tolist() == [[14.0, -6.0, 0.0]]


@pytest.mark.parametrize(("columns", "bytes_each"), [(1, 1 + 4), (2, 1 + 4), (3, 2 + 4), (16, 8 + 4), (17, 9 + 8)])
def test_two_levels_a_byte(columns: int, bytes_each: int) -> None:
    _, payload = Int4(block=16).encode({}, rows(2, columns), draws(0, 1))
    assert payload.bytes_K.tolist() == [bytes_each] * 2
