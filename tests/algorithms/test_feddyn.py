from __future__ import annotations

import numpy as np
import torch

from holdfast.algorithms.federated.feddyn import FedDyn

from ..tiny import Cut, line, play, simulation
from .plane import FIELDS, SHARDS, START, gradient, heard, optimum


def test_by_hand() -> None:
    # One step of lr ½ with α = 1 towards 2 and 6. Round 1: 0 → 1 and 0 → 3, so g = -1, -3, h = -2 and x = 2 + 2.
    # Round 2, from 4: gradients 2 + 1 and -2 + 3 lead to 2½ and 3½, so g = ½, -2½, h = -1 and x = 3 + 1.
    # Round 3, from 4: gradients 2 - ½ and -2 + 2½ lead to 3¼ and 3¾, so h = -½ and x = 3½ + ½: it has arrived.
    algorithm = FedDyn(alpha=1, local_steps=1, batch_size=None, optimizer={"name": "sgd", "lr": 0.5})
    sim = simulation(algorithm=algorithm, **line(2.0, 6.0))
    assert play(sim, 3).flatten().tolist() == [4.0, 4.0, 4.0]
    assert sim.server.algorithm["h"].item() == -0.5


def test_against_a_plain_loop() -> None:
    lr, alpha, rounds = 0.1, 0.3, 8
    local = {"local_steps": 4, "batch_size": None, "optimizer": {"name": "sgd", "lr": lr}}
    sim = simulation(algorithm=FedDyn(alpha=alpha, **local), participation=0.67, **FIELDS)
    found = play(sim, rounds)[:, 0]
    w, h, g = START.copy(), np.zeros(2), np.zeros((3, 2))
    for round in range(1, rounds + 1):
        asked, models = heard(sim, round), []
        for i in asked:
            y = w.copy()
            for _ in range(4):
                y = y - lr * (gradient(y, SHARDS[i]) - g[i] + alpha * (y - w))
            g[i] = g[i] - alpha * (y - w)
            models.append(y)
        h = h - alpha / 3 * sum(y - w for y in models)
        w = np.mean(models, axis=0) - h / alpha
        np.testing.assert_allclose(found[round - 1], w, rtol=1e-5)


def test_local_steps_do_not_lead_away_from_the_common_optimum() -> None:
    algorithm = FedDyn(alpha=0.5, local_steps=30, batch_size=None, optimizer={"name": "sgd", "lr": 0.2})
    found = play(simulation(algorithm=algorithm, **FIELDS), 150)[-1, 0]
    np.testing.assert_allclose(found, optimum(np.ones(3) / 3), atol=1e-4)


def test_h_is_the_mean_of_all_nodes_gradients_although_some_are_silent() -> None:
    algorithm = FedDyn(local_steps=3, batch_size=None, optimizer={"name": "sgd", "lr": 0.5})
    sim = simulation(algorithm=algorithm, trigger="tests.spies:SpyTrigger", **line(0.5, 3.0, 9.0, -4.0, 1.0))
    play(sim, 4)
    state = sim.nodes.stores["algorithm"].state()
    torch.testing.assert_close(sim.server.algorithm["h"], state["rows.gradient"].mean(0))
    assert sim.server.algorithm["h"].any()


def test_buffers_are_averaged_as_they_are() -> None:
    algorithm = FedDyn(local_steps=1, batch_size=None)
    sim = simulation(algorithm=algorithm, problem="tests.tiny:Normed", nodes=2, partition=Cut())
    views = sim.run.engine.layout.views(torch.from_numpy(play(sim, 3)[2, 0]))
    assert views["num_batches_tracked"].item() == 3
    assert not sim.server.algorithm["h"][sim.run.engine.layout.parameters :].any()
