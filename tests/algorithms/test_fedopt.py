"""What algorithms have in common whose coordinator does more with the combined update than to add it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from holdfast.algorithms import DiLoCo, FedAdagrad, FedAdam, FedAvg, FedAvgM, FedYogi
from holdfast.algorithms.federated.fedopt import moved
from holdfast.types import FloatArray

from ..tiny import Cut, play, simulation
from .plane import FIELDS, SHARDS, SIZES, START
from .test_fedavg import ONE_STEP, local_models

SECOND: dict[type[FedAvg], Callable[[FloatArray, FloatArray], FloatArray]] = {
    FedAdam: lambda v, d: 0.99 * v + 0.01 * d**2,
    FedYogi: lambda v, d: np.where(v > d**2, v - 0.01 * d**2, v + 0.01 * d**2),
    FedAdagrad: lambda v, d: v + d**2,
}


@pytest.mark.parametrize("cls", SECOND)
@pytest.mark.parametrize("beta1", [0.0, 0.9])
def test_against_a_plain_loop(cls: type[FedAvg], beta1: float) -> None:
    w, m, v, expected = START, np.zeros(2), np.full(2, 0.02**2), []
    for _ in range(6):
        models = local_models(w, SHARDS, 3, 0.1)
        update = np.asarray(sum(size / 12 * (model - w) for size, model in zip(SIZES, models, strict=True)))
        m, v = beta1 * m + (1 - beta1) * update, SECOND[cls](v, update)
        w = w + 0.05 * m / (np.sqrt(v) + 0.02)
        expected.append(w)
    local = {"local_steps": 3, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.1}}
    algorithm = cls(server_lr=0.05, beta1=beta1, tau=0.02, **local)
    sim = simulation(algorithm=algorithm, **FIELDS)
    np.testing.assert_allclose(play(sim, 6)[:, 0], expected, rtol=1e-4)


@pytest.mark.parametrize("cls", [FedAvgM, FedAdam, FedYogi, FedAdagrad, DiLoCo])
def test_buffers_take_the_plain_update(cls: type[FedAvg]) -> None:
    # Batch norm of [1, 3] and [10, 14] moves by 0.1 to the means 2 and 12 and the variances 2 and 8.
    algorithm = cls(**ONE_STEP)
    sim = simulation(algorithm=algorithm, problem="tests.tiny:Normed", nodes=2, partition=Cut())
    found = []
    for x_D in play(sim, 2)[:, 0]:
        views = sim.run.engine.layout.views(torch.from_numpy(x_D))
        found.append([views[name].item() for name in ("running_mean", "running_var", "num_batches_tracked")])
    assert found[0] == pytest.approx([0.7, 1.4, 1])
    assert found[1] == pytest.approx([0.9 * 0.7 + 0.7, 0.9 * 1.4 + 0.5, 2])


def test_where_there_are_no_buffers_the_step_is_all() -> None:
    x_D, update_D, step_P = torch.tensor([1.0, 2.0]), torch.tensor([9.0, 9.0]), torch.tensor([0.5, -0.5])
    assert moved(x_D, update_D, step_P).tolist() == [1.5, 1.5]


@pytest.mark.parametrize("cls", [FedAvgM, FedAdam, FedYogi, FedAdagrad])
def test_a_round_that_is_skipped_changes_nothing(cls: type[FedAvg]) -> None:
    # The median with f = 1 needs three rows, and in round 2 a node is away.
    away = [{"name": "crash", "node": 0, "at_round": 2, "back_at": 3}]
    sim = simulation(algorithm=cls(**ONE_STEP), aggregator={"name": "median", "f": 1}, faults=away, **FIELDS)
    before = play(sim, 1)
    kept = {key: value.clone() for key, value in sim.server.algorithm.items()}
    assert np.array_equal(play(sim, 1, first=2), before)
    assert all(torch.equal(sim.server.algorithm[key], kept[key]) for key in kept)
