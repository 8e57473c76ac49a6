from __future__ import annotations

import math

import pytest
import torch

from holdfast.codecs.qsgd import Qsgd
from holdfast.errors import InputError

from ..kernels.oracles import fraction
from .draws import draws, rows


def test_by_hand() -> None:
    """The norm of (6, 8) is 10, so five levels are 2 apart; of zeros it is 0."""
    _, payload = Qsgd(block=2, levels=5).encode({}, torch.tensor([[-6.0, 8.0, 0.0]]), draws(0))
    assert payload.tensors["levels"].tolist() == [[-3, 4, 0]]
    assert payload.tensors["scales"].tolist() == [[2.0, 0.0]]
    assert payload.bytes_K.tolist() == [3 + 2 * 4]


@pytest.mark.parametrize("levels", [1, 4, 127])
def test_agrees_with_a_plain_loop(levels: int) -> None:
    x_KD, block = rows(2, 10), 4
    _, payload = Qsgd(block=block, levels=levels).encode({}, x_KD, draws(5, 9))
    addresses = draws(5, 9).addresses_K.tolist()
    for row in range(2):
        for column in range(10):
            start = column // block * block
            scale = math.sqrt(sum(v * v for v in x_KD[row, start : start + block].tolist())) / levels
            exact = x_KD[row, column].item() / scale
            level = math.floor(exact) + (fraction(addresses[row], column) < exact - math.floor(exact))
            assert payload.tensors["levels"][row, column].item() == level
            assert payload.tensors["scales"][row, column // block].item() == pytest.approx(scale)


@pytest.mark.parametrize(("levels", "block"), [(1, 4), (1, 32), (5, 16), (127, 16)])
def test_the_mean_square_error_stays_within_its_bound(levels: int, block: int) -> None:
    """Of 2000 errors; equal magnitudes are the worst case, of which the expected error is that of one value."""
    x_KD, codec = torch.ones(1, block), Qsgd(block=block, levels=levels)
    found_KD = codec.decode(codec.encode({}, x_KD.expand(2000, -1), draws(*range(2000)))[1])
    squared = (found_KD - x_KD).double().square().sum(1).mean().item() / block
    exact = levels / math.sqrt(block)
    part = exact - math.floor(exact)
    assert squared == pytest.approx(part * (1 - part) / exact**2, rel=0.05, abs=1e-9)
    assert squared <= min(block / levels**2, math.sqrt(block) / levels)


@pytest.mark.parametrize("levels", [0, 128])
def test_a_level_fits_a_signed_byte(levels: int) -> None:
    with pytest.raises(InputError, match="levels must be"):
        Qsgd(levels=levels)
