from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codecs import Codec
from holdfast.codecs.int8 import Int8
from holdfast.errors import InputError

from ..contract import PROPERTY
from ..kernels.oracles import fraction
from .draws import draws, rows


def round_trip(codec: Int8, x_KD: torch.Tensor, round: int = 0) -> torch.Tensor:
    return codec.decode(codec.encode({}, x_KD, draws(*range(len(x_KD)), round=round))[1])


def test_by_hand() -> None:
    """Whole multiples of the scale, here 254 / 127 = 2, need no rounding; zeros have a scale of 0."""
    _, payload = Int8(block=2).encode({}, torch.tensor([[254.0, -6.0, 0.0]]), draws(0))
    assert payload.tensors["levels"].tolist() == [[127, -3, 0]]
    assert payload.tensors["scales"].tolist() == [[2.0, 0.0]]
    assert payload.bytes_K.tolist() == [3 + 2 * 4]


def test_agrees_with_a_plain_loop() -> None:
    x_KD, block = rows(2, 10), 4
    _, payload = Int8(block=block).encode({}, x_KD, draws(5, 9))
    addresses = draws(5, 9).addresses_K.tolist()
    for row in range(2):
        for column in range(10):
            start = column // block * block
            scale = max(abs(v) for v in x_KD[row, start : start + block].tolist()) / 127
            exact = x_KD[row, column].item() / scale
            level = math.floor(exact) + (fraction(addresses[row], column) < exact - math.floor(exact))
            assert payload.tensors["levels"][row, column].item() == level
            assert payload.tensors["scales"][row, column // block].item() == pytest.approx(scale)


@PROPERTY
@given(
    st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=12),
    st.integers(1, 5),
    st.integers(0, 99),
)
def test_stays_within_its_bound(values: list[float], block: int, round: int) -> None:
    x_KD = torch.tensor([values])
    found = round_trip(Int8(block=block), x_KD, round)[0].tolist()
    for column, value in enumerate(values):
        start = column // block * block
        scale = max(abs(v) for v in values[start : start + block]) / 127
        assert abs(found[column] - value) <= scale * (1 + 1e-4) + 1e-42


def test_is_right_on_average() -> None:
    """One rounding errs by at most s / 2 in standard deviation; the mean of 2000 is within five of theirs."""
    x_KD, repeats = rows(1, 40), 2000
    many_KD = x_KD.expand(repeats, -1)
    error_D = round_trip(Int8(), many_KD).double().mean(0) - x_KD[0].double()
    assert error_D.abs().max() < 5 * 0.5 * x_KD.abs().max() / 127 / repeats**0.5


def test_a_broken_block_stays_broken_and_harms_no_other() -> None:
    x_KD = torch.tensor([[1.0, torch.nan, 3.0, -3.0], [torch.inf, 1.0, 0.0, 0.0]])
    found_KD = round_trip(Int8(block=2), x_KD)
    assert found_KD.isnan().tolist() == [[True, True, False, False]] * 2
    assert found_KD[0, 2:].tolist() == [3.0, -3.0]
    assert found_KD[1, 2:].tolist() == [0.0, 0.0]


def test_must_stand_last() -> None:
    with pytest.raises(InputError, match="leave values for the next codec"):
        Codec.chain(["int8", "float16"]).encode({}, rows(1, 4), draws(0))
