from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codecs.float16 import Float16

from ..contract import PROPERTY
from .draws import draws


def round_trip(x_KD: torch.Tensor) -> torch.Tensor:
    codec = Float16()
    return codec.decode(codec.encode({}, x_KD, draws(*range(len(x_KD))))[1])


def test_by_hand() -> None:
    """1/3 lies between 1365 / 4096 and 1366 / 4096; the nearest is 1365 / 4096."""
    assert round_trip(torch.tensor([[0.5, 1 / 3, -2.0]])).tolist() == [[0.5, 1365 / 4096, -2.0]]


def test_great_values_are_clamped_and_broken_ones_stay_broken() -> None:
    x_KD = torch.tensor([[1e9, -7e4, torch.inf, -torch.inf, torch.nan]])
    expected_KD = torch.tensor([[65504.0, -65504.0, torch.inf, -torch.inf, torch.nan]])
    torch.testing.assert_close(round_trip(x_KD), expected_KD, rtol=0, atol=0, equal_nan=True)


def test_the_greatest_of_the_format_is_where_clamping_begins() -> None:
    """From 65520 on rounding would make infinity; numbers below it round to 65504 by themselves."""
    x_KD = torch.tensor([[65504.0, 65519.0, 65520.0, -65536.0]])
    assert round_trip(x_KD).tolist() == [[65504.0, 65504.0, 65504.0, -65504.0]]


@PROPERTY
@given(st.lists(st.floats(-65504, 65504, width=32), min_size=1, max_size=20))
def test_stays_within_its_bound(values: list[float]) -> None:
    x_KD = torch.tensor([values])
    error = (round_trip(x_KD) - x_KD).double().abs()
    assert (error <= 2.0**-11 * x_KD.double().abs() + 2.0**-25).all()
    np.testing.assert_array_equal(round_trip(x_KD)[0].numpy(), np.array(values).astype(np.float16))
