from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codecs import Codec
from holdfast.codecs.sign import Sign
from holdfast.errors import InputError

from ..contract import PROPERTY
from .draws import draws, rows


def round_trip(codec: Sign, x_KD: torch.Tensor) -> torch.Tensor:
    return codec.decode(codec.encode({}, x_KD, draws(*range(len(x_KD))))[1])


def test_by_hand() -> None:
    """0 counts as plus, -0 too; a block's scale is its mean magnitude: 12 / 8, then 5."""
    x_KD = torch.tensor([[3.0, -5.0, 0.0, -0.0, 1.0, 1.0, -1.0, 1.0, -5.0]])
    _, payload = Sign(block=8).encode({}, x_KD, draws(0))
    assert payload.tensors["signs"].tolist() == [[0b10111101, 0]]
    assert payload.tensors["scales"].tolist() == [[1.5, 5.0]]
    assert Sign(block=8).decode(payload).tolist() == [[1.5, -1.5, 1.5, 1.5, 1.5, 1.5, -1.5, 1.5, -5.0]]


@PROPERTY
@given(st.lists(st.integers(-1000, 1000).map(float), min_size=1, max_size=40), st.sampled_from([8, 24, 1024]))
def test_loses_what_it_says(values: list[float], block: int) -> None:
    """‖decode - x‖² = ‖x‖² - ‖x‖₁² / B in each block."""
    found = round_trip(Sign(block=block), torch.tensor([values]))[0].tolist()
    for start in range(0, len(values), block):
        inside, there = values[start : start + block], found[start : start + block]
        lost = sum((f - v) ** 2 for f, v in zip(there, inside, strict=True))
        expected = sum(v * v for v in inside) - sum(map(abs, inside)) ** 2 / len(inside)
        assert lost == pytest.approx(expected, rel=1e-5, abs=1e-2)


def test_zeros_arrive_as_zeros_and_broken_blocks_as_nan() -> None:
    x_KD = torch.cat([torch.zeros(2, 8), rows(2, 9)], dim=1)
    x_KD[1, 10] = torch.inf
    found_KD = round_trip(Sign(block=8), x_KD)
    assert found_KD[:, :8].tolist() == [[0.0] * 8] * 2
    assert found_KD.isnan().tolist() == [[False] * 17, [False] * 8 + [True] * 8 + [False]]


@pytest.mark.parametrize(("columns", "bytes_each"), [(1, 1 + 4), (8, 1 + 4), (9, 2 + 4), (16, 2 + 4), (17, 3 + 8)])
def test_eight_signs_a_byte(columns: int, bytes_each: int) -> None:
    _, payload = Sign(block=16).encode({}, rows(2, columns), draws(0, 1))
    assert payload.bytes_K.tolist() == [bytes_each] * 2


def test_blocks_begin_with_a_byte() -> None:
    with pytest.raises(InputError, match="block must be a multiple of 8"):
        Sign(block=12)


def test_must_stand_last() -> None:
    with pytest.raises(InputError, match="leave values for the next codec"):
        Codec.chain(["sign", "float16"]).encode({}, rows(1, 4), draws(0))
