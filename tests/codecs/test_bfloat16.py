from __future__ import annotations

import struct

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codecs.bfloat16 import Bfloat16

from ..contract import PROPERTY
from .draws import draws

GREATEST = (2 - 2.0**-7) * 2.0**127


def round_trip(x_KD: torch.Tensor) -> torch.Tensor:
    codec = Bfloat16()
    return codec.decode(codec.encode({}, x_KD, draws(*range(len(x_KD))))[1])


def nearest(value: float) -> float:
    """Half of what is cut off is added to the bits of float32; a tie goes to the even one."""
    (bits,) = struct.unpack("<I", struct.pack("<f", value))
    bits += 0x7FFF + (bits >> 16 & 1)
    return struct.unpack("<f", struct.pack("<I", bits & 0xFFFF0000))[0]


def test_by_hand() -> None:
    """1/3 lies between 170 / 512 and 171 / 512; the nearest is 171 / 512."""
    assert round_trip(torch.tensor([[0.5, 1 / 3, -2.0]])).tolist() == [[0.5, 171 / 512, -2.0]]


def test_great_values_are_clamped_and_broken_ones_stay_broken() -> None:
    x_KD = torch.tensor([[3.4e38, -3.4e38, torch.inf, -torch.inf, torch.nan]])
    expected_KD = torch.tensor([[GREATEST, -GREATEST, torch.inf, -torch.inf, torch.nan]])
    torch.testing.assert_close(round_trip(x_KD), expected_KD, rtol=0, atol=0, equal_nan=True)


@PROPERTY
@given(st.lists(st.floats(-(2.0**127), 2.0**127, width=32), min_size=1, max_size=20))
def test_stays_within_its_bound(values: list[float]) -> None:
    found = round_trip(torch.tensor([values]))[0].tolist()
    assert found == [nearest(value) for value in values]
    for value, arrived in zip(values, found, strict=True):
        assert abs(arrived - value) <= 2.0**-8 * abs(value) + 2.0**-134
