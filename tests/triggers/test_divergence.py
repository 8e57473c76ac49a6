from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.algorithms.decentralised.dsgd import DSGD
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.triggers.divergence import Divergence

from ..tiny import Blobs, line, notes, play, simulation

HALVE = {"name": "fedavg", "local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}


def speak(trigger: Divergence, x_KD: torch.Tensor, reference_KD: torch.Tensor, round: int = 1) -> list[bool]:
    found: list[bool] = trigger.speakers({}, round, x_KD, reference_KD, torch.zeros(len(x_KD)))[1].tolist()
    return found


def test_by_hand() -> None:
    x_KD, reference_KD = torch.tensor([[3.0, 4.0], [1.0, 1.0], [0.0, 5.1]]), torch.tensor([[0.0, 0.0]] * 3)
    assert speak(Divergence(delta=25), x_KD, reference_KD) == [False, False, True]
    assert speak(Divergence(delta=24.9), x_KD, reference_KD) == [True, False, True]
    assert speak(Divergence(delta=2), x_KD, x_KD.flip(1)) == [False, False, True]


def test_checks_in_every_bth_round() -> None:
    x_KD, far = torch.ones(2, 1), Divergence(delta=0.5, check_every=3)
    assert [any(speak(far, x_KD, 0 * x_KD, round)) for round in range(1, 7)] == [False, False, True] * 2


def test_the_greatest_tensor_against_a_plain_loop() -> None:
    x_KD = torch.randn(50, 7, generator=torch.Generator().manual_seed(4))
    found = speak(Divergence(delta=4, norm="max_tensor").fitted([(2, 2), (3,)]), x_KD, torch.zeros(50, 7))
    rows = x_KD.double().numpy()
    assert found == [max((row[:4] ** 2).sum(), (row[4:] ** 2).sum()) > 4 for row in rows]
    assert 5 < np.sum(found) < 45


def test_what_is_not_finite_has_left_the_zone() -> None:
    x_KD = torch.tensor([[torch.nan, 0.0], [torch.inf, 0.0], [0.0, 0.0]])
    assert speak(Divergence(), x_KD, torch.zeros(3, 2)) == [True, True, False]


def test_with_a_coordinator_its_broadcast_is_the_reference() -> None:
    # From 0 to 4, 1 and 0; of the mean of node 0 alone, 4, node 1 is then 1 away, and node 2 two.
    sim = simulation(algorithm=HALVE, trigger={"name": "divergence", "delta": 2}, **line(8.0, 2.0, 0.0))
    assert play(sim, 2).flatten().tolist() == [4.0, (6 + 2) / 2]
    assert [sorted(notes(sim).by_node(round, "bytes_up")) for round in (1, 2)] == [[0], [0, 2]]


def test_among_peers_what_was_said_last_is_the_reference() -> None:
    sim = simulation(
        algorithm=DSGD(lr=0.5, batch_size=None, order="adapt_then_combine"),
        topology="complete",
        trigger={"name": "divergence", "delta": 3.0},
        **line(8.0, 1.0, 1.0),
    )
    play(sim, 1)
    assert sorted(notes(sim).by_node(1, "bytes_up")) == [0], "4 against ½ and ½"
    last = sim.nodes.stores["spoken"].take([0, 1, 2])["x"].flatten().tolist()
    assert last == [4.0, 0.0, 0.0]


def test_buffers_do_not_count() -> None:
    # Batch norm counts its batches, which is a distance of 1; its parameters do not move with a rate of almost nothing.
    slow = {"name": "fedavg", "optimizer": {"name": "sgd", "lr": 1e-6}}
    trigger = {"name": "divergence", "delta": 0.01}
    sim = simulation(algorithm=slow, problem=Blobs(batch_norm=True), nodes=3, trigger=trigger)
    play(sim, 2)
    assert not notes(sim).by_node(1, "bytes_up")


def test_refuses_an_interval_longer_than_the_run() -> None:
    with pytest.raises(InputError, match=r"trigger\.check_every must be at most 5"):
        Experiment(problem=Blobs(), algorithm="fedavg", rounds=5, trigger={"name": "divergence", "check_every": 6})
