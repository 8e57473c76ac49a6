"""What holds of every codec that rounds at random to levels of a block."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codecs.int4 import Int4
from holdfast.codecs.int8 import Int8
from holdfast.codecs.levels import InLevels
from holdfast.codecs.qsgd import Qsgd
from holdfast.codecs.terngrad import Terngrad
from holdfast.errors import InputError

from ..contract import PROPERTY
from .draws import draws, rows

Make = Callable[[int], InLevels]
each = pytest.mark.parametrize(
    "make",
    [
        lambda block: Int8(block=block),
        lambda block: Int4(block=block),
        lambda block: Terngrad(block=block),
        lambda block: Qsgd(block=block),
        lambda block: Qsgd(block=block, levels=3),
    ],
)
packed = pytest.mark.parametrize("codec", [Int4, Terngrad])


def round_trip(codec: InLevels, x_KD: torch.Tensor, round: int = 0) -> torch.Tensor:
    return codec.decode(codec.encode({}, x_KD, draws(*range(len(x_KD)), round=round))[1])


def step_of(codec: InLevels, block: list[float]) -> float:
    norm = math.sqrt(sum(v * v for v in block)) if codec.euclidean else max(map(abs, block))
    return norm / codec.most


@each
@PROPERTY
@given(
    st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=30),
    st.sampled_from([8, 16, 1024]),
    st.integers(0, 99),
)
def test_stays_within_a_step(make: Make, values: list[float], block: int, round: int) -> None:
    codec = make(block)
    found = round_trip(codec, torch.tensor([values]), round)[0].tolist()
    for column, value in enumerate(values):
        start = column // block * block
        step = step_of(codec, values[start : start + block])
        assert abs(found[column] - value) <= step * (1 + 1e-4) + codec.most * 2.0**-149


@each
@pytest.mark.parametrize("over", ["nodes", "rounds"])
def test_is_right_on_average(make: Make, over: str) -> None:
    """A value arrives as one of two that lie a step apart, so by Hoeffding's inequality the mean of n errs by more than
    step · √(ln(2 · 40 / 10⁻⁶) / 2n) in one of 40 columns in one of a million trials; the seeds are fixed."""
    codec, x_KD = make(16), rows(1, 40)
    repeats = 3000 if over == "nodes" else 300
    if over == "nodes":
        found_KD = round_trip(codec, x_KD.expand(repeats, -1))
    else:
        found_KD = torch.cat([round_trip(codec, x_KD, round) for round in range(repeats)])
    error_D = (found_KD.double().mean(0) - x_KD[0]).abs().tolist()
    for column, error in enumerate(error_D):
        start = column // 16 * 16
        step = step_of(codec, x_KD[0, start : start + 16].tolist())
        assert error < step * math.sqrt(math.log(2 * 40 / 1e-6) / (2 * repeats)) + 1e-6


@each
def test_a_broken_block_stays_broken_and_harms_no_other(make: Make) -> None:
    x_KD = rows(2, 20)
    x_KD[0, 3], x_KD[1, 19] = torch.nan, -torch.inf
    found_KD = round_trip(make(8), x_KD)
    assert found_KD.isnan().tolist() == [[True] * 8 + [False] * 12, [False] * 16 + [True] * 4]


@each
def test_nodes_and_rounds_have_draws_of_their_own(make: Make) -> None:
    x_KD = rows(1, 500).expand(2, -1)
    first_KD, second_KD = round_trip(make(8), x_KD, 0), round_trip(make(8), x_KD, 1)
    assert torch.equal(first_KD, round_trip(make(8), x_KD, 0))
    assert not torch.equal(first_KD, second_KD)
    assert not torch.equal(first_KD[0], first_KD[1])


@packed
@pytest.mark.parametrize("block", [7, 12, 0])
def test_blocks_begin_with_a_byte(codec: type[InLevels], block: int) -> None:
    with pytest.raises(InputError, match="block must be"):
        codec(block=block)
