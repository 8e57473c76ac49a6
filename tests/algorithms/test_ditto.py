from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from holdfast.algorithms.federated.ditto import Ditto
from holdfast.algorithms.federated.fedavg import FedAvg

from ..tiny import line, play, simulation
from .plane import FIELDS, SHARDS, SIZES, START, gradient, heard


def own(sim: Any) -> list[float]:
    kept: list[float] = sim.nodes.stores["algorithm"].state()["rows.own"].flatten().tolist()
    return kept


def test_by_hand() -> None:
    # Steps of lr ½ towards 2 and 6, λ = 1. Round 1: x = 0 = v, so v = 1, 3. Round 2: x = 2, so
    # v = 1 - ½(-1 + (1 - 2)) = 2 and 3 - ½(-3 + (3 - 2)) = 4.
    algorithm = Ditto(lam=1, local_steps=1, batch_size=None, optimizer={"name": "sgd", "lr": 0.5})
    sim = simulation(algorithm=algorithm, **line(2.0, 6.0))
    assert play(sim, 1).item() == 2.0
    assert own(sim) == [1, 3]
    play(sim, 1, first=2)
    assert own(sim) == [2, 4]


def test_against_a_plain_loop() -> None:
    lr, lam, rounds = 0.1, 0.7, 6
    local = {"local_steps": 3, "batch_size": None, "optimizer": {"name": "sgd", "lr": lr}}
    sim = simulation(algorithm=Ditto(lam=lam, **local), participation=0.67, **FIELDS)
    found = play(sim, rounds)[:, 0]
    w, v = START.copy(), np.tile(START, (3, 1))
    for round in range(1, rounds + 1):
        asked, models = heard(sim, round), []
        for i in asked:
            y = w.copy()
            for _ in range(3):
                y = y - lr * gradient(y, SHARDS[i])
                v[i] = v[i] - lr * (gradient(v[i], SHARDS[i]) + lam * (v[i] - w))
            models.append(y)
        w = np.average(models, axis=0, weights=[SIZES[i] for i in asked])
        np.testing.assert_allclose(found[round - 1], w, rtol=1e-5)
    state = sim.nodes.stores["algorithm"].state()
    np.testing.assert_allclose(state["rows.own"], v[state["nodes"].numpy()], rtol=1e-5)


@pytest.mark.parametrize("keep_local", [False, True])
def test_the_common_model_is_fedavgs(keep_local: bool) -> None:
    fields = {**FIELDS, "trigger": {"name": "periodic", "every": 2}}
    models = [play(simulation(algorithm=cls(keep_local=keep_local), **fields), 4) for cls in (Ditto, FedAvg)]
    assert np.array_equal(*models)


def test_without_a_pull_each_node_learns_alone() -> None:
    algorithm = Ditto(lam=0, local_steps=1, batch_size=None, optimizer={"name": "sgd", "lr": 0.5})
    sim = simulation(algorithm=algorithm, **line(2.0, 6.0))
    play(sim, 12)
    assert own(sim) == pytest.approx([2, 6], abs=0.01)


def test_nodes_use_their_own_models() -> None:
    own_KD = torch.tensor([[3.0], [4.0]])
    assert torch.equal(Ditto().personal({"own": own_KD}, torch.zeros(2, 1)), own_KD)
    assert Ditto().effort(np.array([5])).tolist() == [2 * FedAvg().effort(np.array([5])).item()]
