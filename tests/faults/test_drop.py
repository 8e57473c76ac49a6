from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.faults.drop import Drop
from holdfast.types import SERVER, BoolArray

NODES = np.arange(2000)
COORDINATOR = np.full(2000, SERVER)
Direction = Literal["up", "down", "both"]


def lost(direction: Direction, probability: float = 0.3, round: int = 5, seed: int = 1) -> dict[str, BoolArray]:
    drop, peers = Drop(probability=probability, direction=direction), NODES[::-1].copy()
    links = {"up": (NODES, COORDINATOR), "down": (COORDINATOR, NODES), "peer": (NODES, peers)}
    return {name: ~drop.delivers(round, *ends, seed=seed) for name, ends in links.items()}


@pytest.mark.parametrize(
    ("direction", "struck"),
    [("up", {"up", "peer"}), ("down", {"down", "peer"}), ("both", {"up", "down", "peer"})],
)
def test_strikes_its_direction_about_as_often_as_it_says(direction: Direction, struck: set[str]) -> None:
    for name, lost_E in lost(direction).items():
        if name in struck:
            assert abs(lost_E.mean() - 0.3) < 5 * (0.3 * 0.7 / 2000) ** 0.5
        else:
            assert not lost_E.any()


def test_links_directions_and_rounds_are_independent() -> None:
    first, later = lost("both"), lost("both", round=6)
    for a_E, b_E in [
        (first["up"], first["down"]),
        (first["up"], later["up"]),
        (first["up"], lost("up")["up"]),
    ]:
        assert abs((a_E & b_E).mean() - 0.09) < 5 * (0.09 * 0.91 / 2000) ** 0.5


def test_what_is_lost_at_a_lesser_probability_is_lost_at_a_greater() -> None:
    assert (lost("both", 0.2)["up"] <= lost("both", 0.4)["up"]).all()


def test_never_and_always() -> None:
    assert not lost("both", 0)["up"].any()
    assert lost("both", 1)["up"].all()


def test_refuses_what_is_no_probability_or_direction() -> None:
    for wrong in ({"probability": 1.1}, {"probability": -0.1}, {"direction": "sideways"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            Drop(**wrong)
