from __future__ import annotations

import math

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.codecs import Codec
from holdfast.codecs.linspace import Linspace
from holdfast.errors import InputError

from ..contract import PROPERTY
from .draws import draws, rows


def round_trip(codec: Linspace, x_KD: torch.Tensor) -> torch.Tensor:
    return codec.decode(codec.encode({}, x_KD, draws(*range(len(x_KD))))[1])


def test_by_hand() -> None:
    """Bins of width 2 over [0, 8] and of width 1 over [-4, 0]; the greatest value is in the last bin."""
    codec, x_KD = Linspace(bins=4, block=4), torch.tensor([[0.0, 3.0, 4.0, 8.0, -4.0, -0.5, 0.0]])
    _, payload = codec.encode({}, x_KD, draws(0))
    assert payload.tensors["levels"].tolist() == [[0, 1, 2, 3, 0, 3, 3]]
    assert payload.tensors["low"].tolist() == [[0.0, -4.0]]
    assert payload.tensors["high"].tolist() == [[8.0, 0.0]]
    assert payload.bytes_K.tolist() == [7 + 4 * 4]
    assert codec.decode(payload).tolist() == [[1.0, 3.0, 5.0, 7.0, -3.5, -0.5, -0.5]]


def test_agrees_with_a_plain_loop() -> None:
    x_KD, bins, block = rows(2, 10), 7, 4
    _, payload = Linspace(bins=bins, block=block).encode({}, x_KD, draws(0, 1))
    found_KD = Linspace(bins=bins, block=block).decode(payload)
    for row in range(2):
        for column in range(10):
            values = x_KD[row, column // block * block :][:block].tolist()
            values = values[: min(block, 10 - column // block * block)]
            low, width = min(values), (max(values) - min(values)) / bins
            level = min(math.floor((x_KD[row, column].item() - low) / width), bins - 1)
            assert payload.tensors["levels"][row, column].item() == level
            assert found_KD[row, column].item() == pytest.approx(low + width * (level + 0.5), rel=1e-5)


@PROPERTY
@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=12),
    st.integers(2, 256),
    st.integers(1, 5),
)
@example(values=[-3e38, 1e38, 3e38], bins=4, block=3)
def test_errs_by_half_a_bin_at_most(values: list[float], bins: int, block: int) -> None:
    found = round_trip(Linspace(bins=bins, block=block), torch.tensor([values]))[0].tolist()
    for column, value in enumerate(values):
        own = values[column // block * block :][:block]
        rounding = 2.0**-21 * max(map(abs, own)) + 2.0**-140
        assert abs(found[column] - value) <= (max(own) - min(own)) / bins / 2 + rounding


@pytest.mark.parametrize("value", [0.0, -0.3, 3e38, 1e-44])
def test_values_that_are_all_the_same_arrive_as_they_are(value: float) -> None:
    x_KD = torch.full((1, 5), value)
    assert torch.equal(round_trip(Linspace(block=3), x_KD), x_KD)


def test_a_block_longer_than_the_row_is_the_row() -> None:
    x_KD = rows(2, 10)
    assert torch.equal(round_trip(Linspace(block=10**12), x_KD), round_trip(Linspace(block=10), x_KD))


def test_a_broken_block_stays_broken_and_harms_no_other() -> None:
    x_KD = torch.tensor([[1.0, torch.nan, 3.0, 3.0], [-torch.inf, 1.0, 0.0, 0.0]])
    found_KD = round_trip(Linspace(block=2), x_KD)
    assert found_KD.isnan().tolist() == [[True, True, False, False]] * 2
    assert found_KD[:, 2:].tolist() == [[3.0, 3.0], [0.0, 0.0]]


def test_must_stand_last() -> None:
    with pytest.raises(InputError, match="leave values for the next codec"):
        Codec.chain(["linspace", "float16"]).encode({}, rows(1, 4), draws(0))


@pytest.mark.parametrize("bins", [1, 257])
def test_levels_fit_a_byte(bins: int) -> None:
    with pytest.raises(InputError, match="bins must be"):
        Linspace(bins=bins)
