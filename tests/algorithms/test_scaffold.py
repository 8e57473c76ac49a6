from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from holdfast.algorithms.federated.scaffold import Scaffold

from ..tiny import Blobs, Cut, line, play, simulation
from .plane import FIELDS, SHARDS, START, gradient, heard, optimum

HALF = {"name": "sgd", "lr": 0.5}


def controls(sim: Any) -> torch.Tensor:
    state = sim.nodes.stores["algorithm"].state()
    return torch.zeros(sim.run.experiment.nodes, state["rows.control"].shape[1]).index_add(
        0, state["nodes"], state["rows.control"]
    )


def test_by_hand() -> None:
    # Two steps of lr ½ towards 2 and 6. Round 1, without controls: 0 → 1 → 1½ and 0 → 3 → 4½, so x = 3, and the mean
    # gradients are -1½ and -4½. Round 2: gradients -1½ and 1½ off the mean are taken out:
    # 3 → 3 - ½(1 + 1½ - 3) = 3¼ → 3⅜, and 3 → 3 - ½(-3 + 4½ - 3) = 3¾ → 4⅛, so x = 3¾.
    sim = simulation(algorithm=Scaffold(local_steps=2, batch_size=None, optimizer=HALF), **line(2.0, 6.0))
    assert play(sim, 1).item() == 3.0
    assert controls(sim).flatten().tolist() == [-1.5, -4.5]
    assert sim.server.algorithm["control"].item() == -3.0
    assert play(sim, 1, first=2).item() == 3.75
    assert controls(sim).flatten().tolist() == pytest.approx([-1.5 + 3 - 0.375, -4.5 + 3 - 1.125])


def test_against_a_plain_loop() -> None:
    lr, server_lr, rounds = 0.1, 0.7, 8
    schedule = {"name": "exponential", "rounds": 4, "rate": 0.5}
    optimizer = {"name": "sgd", "lr": lr, "schedule": schedule}
    algorithm = Scaffold(local_steps=4, batch_size=None, server_lr=server_lr, optimizer=optimizer)
    faults = [{"name": "straggle", "nodes": [2], "factor": 2}]
    sim = simulation(algorithm=algorithm, participation=0.67, faults=faults, **FIELDS)
    found = play(sim, rounds)[:, 0]
    w, c, c_i = START.copy(), np.zeros(2), np.zeros((3, 2))
    for round in range(1, rounds + 1):
        asked, eta = heard(sim, round), lr * 0.5 ** ((round - 1) / 4)
        updates, changes = [], []
        for i in asked:
            y, steps = w.copy(), 2 if i == 2 else 4
            for _ in range(steps):
                y = y - eta * (gradient(y, SHARDS[i]) - c_i[i] + c)
            new = c_i[i] - c + (w - y) / (steps * eta)
            updates.append(y - w)
            changes.append(new - c_i[i])
            c_i[i] = new
        w = w + server_lr * np.mean(updates, axis=0)
        c = c + len(asked) / 3 * np.mean(changes, axis=0)
        np.testing.assert_allclose(found[round - 1], w, rtol=1e-5)
    np.testing.assert_allclose(sim.server.algorithm["control"], c, rtol=1e-4)


def test_local_steps_do_not_lead_away_from_the_common_optimum() -> None:
    algorithm = Scaffold(local_steps=10, batch_size=None, optimizer={"name": "sgd", "lr": 0.2})
    fields = {**FIELDS, "algorithm": algorithm}
    np.testing.assert_allclose(play(simulation(**fields), 150)[-1, 0], optimum(np.ones(3) / 3), atol=1e-4)
    plain = {**fields, "algorithm": {"name": "fedavg", "weighting": "uniform", **algorithm.model_dump(include=_LOCAL)}}
    assert np.abs(play(simulation(**plain), 150)[-1, 0] - optimum(np.ones(3) / 3)).max() > 0.05


_LOCAL = {"local_steps", "batch_size", "optimizer"}


@pytest.mark.parametrize("weather", [{"trigger": "tests.spies:SpyTrigger"}, {"participation": 0.4}, {}])
def test_the_common_control_is_the_mean_of_all_nodes(weather: dict[str, Any]) -> None:
    algorithm = Scaffold(local_steps=3, batch_size=None, optimizer=HALF)
    sim = simulation(algorithm=algorithm, **line(0.5, 3.0, 9.0, -4.0, 1.0), **weather)
    play(sim, 4)
    torch.testing.assert_close(sim.server.algorithm["control"], controls(sim).mean(0))
    assert sim.server.algorithm["control"].any()


def test_buffers_move_by_their_plain_mean_and_have_no_control() -> None:
    algorithm = Scaffold(local_steps=1, batch_size=None, server_lr=0.5, optimizer=HALF)
    sim = simulation(algorithm=algorithm, problem="tests.tiny:Normed", nodes=2, partition=Cut())
    views = sim.run.engine.layout.views(torch.from_numpy(play(sim, 2)[1, 0]))
    assert views["num_batches_tracked"].item() == 2
    assert not controls(sim)[:, sim.run.engine.layout.parameters :].any()


def test_two_vectors_travel_in_either_direction() -> None:
    sim = simulation(algorithm="scaffold", problem=Blobs(), nodes=3, engine="sequential")
    play(sim, 1)
    whole = 3 * 2 * 4 * sim.run.engine.layout.columns
    assert (sim.totals["bytes_up"], sim.totals["bytes_down"]) == (whole, whole)
