from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.algorithms.federated.fednova import FedNova

from ..tiny import Cut, Line, play, simulation
from .plane import FIELDS, SHARDS, SIZES, START, gradient


def test_by_hand() -> None:
    # Batches of one with lr ½, from 4: node 0 takes one step towards 8, to 6; node 1 three towards 0, to ½.
    # Per step that is 2 and -7/6; by their samples -3/8; the mean number of steps is 5/2.
    problem = Line(inputs=((1.0,),) * 4, targets=(8.0, 0.0, 0.0, 0.0), start=(4.0,))
    algorithm = FedNova(batch_size=1, optimizer={"name": "sgd", "lr": 0.5})
    sim = simulation(algorithm=algorithm, problem=problem, nodes=2, partition=Cut(sizes=(1, 3)))
    assert play(sim, 1).item() == pytest.approx(4 - 2.5 * 3 / 8)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 1.0])
def test_the_weight_of_the_gradients_is_how_far_a_constant_one_leads(momentum: float) -> None:
    x = torch.zeros(1, dtype=torch.float64)
    optimizer = torch.optim.SGD([x], lr=1.0, momentum=momentum)
    algorithm = FedNova(optimizer={"name": "sgd", "momentum": momentum})
    for step in range(1, 8):
        x.grad = -torch.ones_like(x)
        optimizer.step()
        assert algorithm._weight(torch.tensor([float(step)])).item() == pytest.approx(x.item(), rel=1e-5)


def test_against_a_plain_loop() -> None:
    lr, rho = 0.05, 0.8
    optimizer = {"name": "sgd", "lr": lr, "momentum": rho}
    faults = [{"name": "straggle", "nodes": [2], "factor": 3}]
    sim = simulation(algorithm=FedNova(local_steps=6, batch_size=None, optimizer=optimizer), faults=faults, **FIELDS)
    w, expected = START.copy(), []
    for _ in range(4):
        directions, weights = [], []
        for shard, steps in zip(SHARDS, (6, 6, 2), strict=True):
            y, velocity, a = w.copy(), np.zeros(2), np.zeros(steps)
            for step in range(steps):
                velocity = rho * velocity + gradient(y, shard)
                y = y - lr * velocity
                a[: step + 1] += rho ** np.arange(step, -1, -1)
            directions.append((y - w) / a.sum())
            weights.append(a.sum())
        p = np.array(SIZES) / 12
        w = w + (p @ weights) * (p @ np.array(directions))
        expected.append(w)
    np.testing.assert_allclose(play(sim, 4)[:, 0], expected, rtol=1e-5)


def test_with_equal_steps_it_is_fedavg() -> None:
    local = {"local_steps": 3, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}}
    nova, average = (play(simulation(algorithm=cls(**local), **FIELDS), 3) for cls in (FedNova, FedAvg))
    np.testing.assert_allclose(nova, average, rtol=1e-5)


def test_buffers_are_averaged_as_they_are() -> None:
    # Two steps over [1, 3] and [10, 14], of means 2 and 12, with the momentum 0.1: 0.19 of the way.
    algorithm = FedNova(local_steps=2, batch_size=None)
    sim = simulation(algorithm=algorithm, problem="tests.tiny:Normed", nodes=2, partition=Cut())
    views = sim.run.engine.layout.views(torch.from_numpy(play(sim, 1)[0, 0]))
    assert views["running_mean"].item() == pytest.approx(0.19 * 7)
    assert views["num_batches_tracked"].item() == 2
