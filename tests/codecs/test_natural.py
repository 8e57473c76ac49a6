from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codecs.natural import Natural

from ..contract import PROPERTY
from .draws import draws, rows


def round_trip(x_KD: torch.Tensor, round: int = 0) -> torch.Tensor:
    return Natural().decode(Natural().encode({}, x_KD, draws(*range(len(x_KD)), round=round))[1])


def test_by_hand() -> None:
    """Powers of two need no draw: 2⁰, 2⁻³ and 2⁵ have the exponents 127, 124 and 132; 0 has 0."""
    x_KD = torch.tensor([[1.0, -0.125, 0.0, 32.0]])
    _, payload = Natural().encode({}, x_KD, draws(0))
    assert payload.tensors["exponents"].tolist() == [[127, 124, 0, 132]]
    assert payload.tensors["signs"].tolist() == [[0b0010]]
    assert payload.bytes_K.tolist() == [4 + 1]
    assert torch.equal(Natural().decode(payload), x_KD)


@PROPERTY
@given(st.lists(st.floats(2.0**-126, 2.0**127, width=32), min_size=1, max_size=20), st.integers(0, 99))
def test_a_value_arrives_as_one_of_the_powers_around_it(values: list[float], round: int) -> None:
    signed = [v if c % 2 else -v for c, v in enumerate(values)]
    for value, found in zip(signed, round_trip(torch.tensor([signed]), round)[0].tolist(), strict=True):
        lower = 2.0 ** (math.frexp(abs(value))[1] - 1)
        assert math.copysign(1, found) == math.copysign(1, value)
        assert abs(found) == lower if abs(value) == lower else abs(found) in (lower, 2 * lower)


@pytest.mark.parametrize("over", ["nodes", "rounds"])
def test_is_right_on_average(over: str) -> None:
    """A magnitude arrives as one of two that lie 2^e ≤ |x| apart; the tolerance is Hoeffding's, exceeded in one of 40
    columns in one of a million trials."""
    x_KD, repeats = rows(1, 40), 3000 if over == "nodes" else 300
    if over == "nodes":
        found_KD = round_trip(x_KD.expand(repeats, -1))
    else:
        found_KD = torch.cat([round_trip(x_KD, round) for round in range(repeats)])
    error_D = (found_KD.double().mean(0) - x_KD[0]).abs()
    assert (error_D < x_KD[0].abs() * math.sqrt(math.log(2 * 40 / 1e-6) / (2 * repeats))).all()


@pytest.mark.parametrize("mantissa", [0.0, 0.1, 1 / 3, 0.5, 0.9])
def test_the_mean_square_error_is_at_most_an_eighth(mantissa: float) -> None:
    """Of 2^e (1 + m) it is m (1 - m) / (1 + m)² of the square, the most, an eighth, at m = 1/3."""
    x_KD = torch.full((1, 20), 4 * (1 + mantissa))
    found_KD = round_trip(x_KD.expand(3000, -1))
    squared = ((found_KD - x_KD) / x_KD).double().square().mean().item()
    assert squared == pytest.approx(mantissa * (1 - mantissa) / (1 + mantissa) ** 2, rel=0.02)


def test_what_is_not_finite_arrives_as_infinity() -> None:
    assert round_trip(torch.tensor([[torch.inf, -torch.inf, torch.nan]])).isinf().all()


@pytest.mark.parametrize("columns", [1, 7, 8, 9, 1025])
def test_nine_bits_a_value(columns: int) -> None:
    _, payload = Natural().encode({}, rows(2, columns), draws(0, 1))
    assert payload.bytes_K.tolist() == [columns + math.ceil(columns / 8)] * 2
