from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.codecs import Codec, Payload
from holdfast.codecs.random_k import RandomK
from holdfast.seeding import address

from ..contract import PROPERTY
from .draws import draws, rows


def round_trip(codec: RandomK, x_KD: torch.Tensor, round: int = 0) -> torch.Tensor:
    return codec.decode(codec.encode({}, x_KD, draws(*range(len(x_KD)), round=round))[1])


@PROPERTY
@given(st.lists(st.floats(-1e9, 1e9, width=32), min_size=1, max_size=20), st.floats(0.01, 1), st.integers(0, 99))
def test_k_values_arrive_times_the_factor(values: list[float], fraction: float, round: int) -> None:
    x_KD = torch.tensor([[1 + abs(value) for value in values]])  # none is 0
    codec = RandomK(fraction=fraction)
    k = codec.width(len(values))
    found_KD = round_trip(codec, x_KD, round)
    sent = found_KD != 0
    assert sent.sum() == k
    torch.testing.assert_close(found_KD[sent], x_KD[sent] * (len(values) / k))
    assert torch.equal(round_trip(RandomK(fraction=fraction, unbiased=False), x_KD, round), x_KD.where(sent, 0))


@pytest.mark.parametrize(("fraction", "columns", "width"), [(0.1, 5, 1), (0.1, 10, 1), (0.1, 11, 2), (1.0, 7, 7)])
def test_how_many_values_are_sent(fraction: float, columns: int, width: int) -> None:
    codec = RandomK(fraction=fraction)
    assert codec.width(columns) == width
    assert codec.encode({}, rows(2, columns), draws(0, 1))[1].bytes_K.tolist() == [4 * width + 8] * 2


def test_is_right_on_average_with_the_variance_it_states() -> None:
    """A value errs by x √(D/k - 1) in standard deviation; the mean of 4000 is within five of theirs."""
    x_KD, repeats = rows(1, 10), 4000
    found_KD = round_trip(RandomK(fraction=0.2), x_KD.expand(repeats, -1)).double()
    error_D = found_KD.mean(0) - x_KD[0].double()
    assert (error_D.abs() <= 5 * x_KD[0].abs() * (10 / 2 - 1) ** 0.5 / repeats**0.5).all()
    squared = (found_KD - x_KD).square().sum(1).mean() / x_KD.square().sum()
    assert squared.item() == pytest.approx(10 / 2 - 1, rel=0.1)


def test_the_columns_differ_from_round_to_round_and_from_node_to_node() -> None:
    codec, x_KD = RandomK(fraction=0.1), torch.ones(2, 100)
    one, other = (round_trip(codec, x_KD, round) != 0 for round in (0, 1))
    assert not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])


def test_the_columns_are_drawn_apart_from_what_rounds_the_next_codecs_values() -> None:
    """The same numbers for both would tie which values are sent to how they are rounded."""
    words = RandomK().encode({}, rows(2, 20), draws(4, 9, round=3))[1].tensors["address"].numpy().view(np.uint64)
    assert not set(words.tolist()) & set(address(1, "codec", [4, 9], 3).tolist())
    assert words.tolist() == address(1, "codec.random_k", [4, 9], 3).tolist()


def test_a_chain_of_unbiased_codecs_is_right_on_average() -> None:
    codec, x_KD, repeats = Codec.chain([{"name": "random_k", "fraction": 0.5}, "int8"]), rows(1, 10), 4000
    many_KD = x_KD.expand(repeats, -1)
    found_KD = codec.decode(codec.encode({}, many_KD, draws(*range(repeats)))[1]).double()
    spread_D = x_KD[0].abs() + x_KD.abs().max() / 127  # √(D/k - 1) = 1, and the rounding
    assert ((found_KD.mean(0) - x_KD[0]).abs() <= 5 * spread_D / repeats**0.5).all()


@pytest.mark.parametrize("word", [0, -1, 2**63 - 1, -(2**63)])
def test_any_address_of_a_peer_is_a_draw(word: int) -> None:
    tensors = {"values": torch.ones(1, 3), "address": torch.tensor([word])}
    found_KD = RandomK(unbiased=False).decode(Payload(tensors, columns=9))
    assert sorted(found_KD[0].tolist()) == [0.0] * 6 + [1.0] * 3


@pytest.mark.parametrize("column", range(6))
def test_a_broken_value_breaks_the_row_even_where_it_is_not_sent(column: int) -> None:
    x_KD = rows(1, 6)
    x_KD[0, column] = torch.inf
    assert round_trip(RandomK(fraction=0.1), x_KD).isnan().sum() == 1
