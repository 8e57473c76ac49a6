from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from holdfast.algorithms.decentralised.choco import Choco
from holdfast.algorithms.decentralised.dsgd import DSGD
from holdfast.types import FloatArray

from ..tiny import Blobs, line, notes, play, simulation
from .peers import EVERYONE, FIELDS, GRAPH, W, check, gradients, starts

TOP_1 = {"name": "top_k", "fraction": 0.5}


def test_by_hand() -> None:
    # Steps of a quarter lead to 0 and 2; told whole, half of the way to the mean of both is ½ and 1½.
    sim = simulation(algorithm=Choco(lr=0.25, gamma=0.5, batch_size=None), topology="complete", **line(0.0, 8.0))
    assert play(sim, 1).flatten().tolist() == [0.5, 1.5]


def test_without_a_codec_it_is_dsgd() -> None:
    fields: dict[str, Any] = {"problem": Blobs(batch_norm=True), "nodes": 5, "topology": "cycle", "engine": "stacked"}
    choco = play(simulation(algorithm=Choco(gamma=1.0, batch_size=4), **fields), 8)
    dsgd = play(simulation(algorithm=DSGD(order="adapt_then_combine", batch_size=4), **fields), 8)
    np.testing.assert_allclose(choco, dsgd, rtol=1e-4, atol=1e-5)


def test_against_a_plain_loop_with_a_codec() -> None:
    eta, gamma = 0.2, 0.4

    def larger(q: FloatArray) -> FloatArray:
        """The one number of two that is the larger, without its sign."""
        return np.where(np.arange(2) == np.argmax(np.abs(q)), q, 0.0)

    def loop() -> Iterator[list[FloatArray]]:
        x, copies = starts(), starts()
        while True:
            g = gradients(x)
            half = [x[i] - eta * g[i] for i in EVERYONE]
            copies = [copies[i] + larger(half[i] - copies[i]) for i in EVERYONE]
            x = [half[i] + gamma * sum(W[i, j] * (copies[j] - copies[i]) for j in GRAPH[i]) for i in EVERYONE]
            yield x

    check(Choco(lr=eta, gamma=gamma, batch_size=None), loop, codec=TOP_1)


def test_comes_to_where_dsgd_comes_whatever_the_codec_loses() -> None:
    # Consensus is met as if nothing were compressed: the peers' spread is DSGD's with weights (1 - γ)I + γW.
    compressed = play(simulation(algorithm=Choco(lr=0.1, gamma=0.2, batch_size=None), codec=TOP_1, **FIELDS), 120)[-1]
    whole = play(simulation(algorithm=Choco(lr=0.1, gamma=0.2, batch_size=None), **FIELDS), 120)[-1]
    np.testing.assert_allclose(compressed, whole, atol=1e-4)
    assert np.abs(compressed - compressed.mean(0)).max() > 1e-3


def test_who_was_silent_has_told_nothing() -> None:
    # Silent in round 1: the copies stay, and the next difference tells both steps.
    trigger = {"name": "periodic", "every": 2}
    sim = simulation(
        algorithm=Choco(lr=0.25, gamma=1, batch_size=None), topology="complete", trigger=trigger, **line(0.0, 8.0)
    )
    first, second = play(sim, 2).squeeze(-1)
    assert first.tolist() == [0.0, 2.0]
    assert second.tolist() == [1.75, 1.75]  # 0 and 3½
    assert notes(sim).by_node(1, "bytes_up") == {}


@pytest.mark.parametrize("codec", [TOP_1, None])
def test_a_lost_difference_is_lost_for_both_ends(codec: Any) -> None:
    sim = simulation(
        algorithm=Choco(batch_size=None), codec=codec, faults=[{"name": "drop", "probability": 0.4}], **FIELDS
    )
    x_KD = play(sim, 30)[-1]
    assert np.isfinite(x_KD).all()
    assert np.abs(x_KD - x_KD.mean(0)).max() < 1


def test_rows_stay_in_order_where_some_are_down() -> None:
    sim = simulation(
        algorithm=Choco(batch_size=None), faults=[{"name": "crash", "node": 2, "at_round": 1, "back_at": 3}], **FIELDS
    )
    play(sim, 2)
    state = sim.nodes.stores["algorithm"].take([0, 1, 3, 4, 5])
    assert state["copy"].shape == (5, 2)
    assert torch.isfinite(state["pull"]).all()
