from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.algorithms.federated.elastic_averaging import ElasticAveraging
from holdfast.runtimes.simulation import Simulation

from ..tiny import Cut, line, play, simulation
from .plane import FIELDS, SHARDS, SIZES, START, gradient
from .test_fedavg import ONE_STEP


def own_models(sim: Simulation) -> list[float]:
    state = sim.nodes.stores["algorithm"].take(np.arange(2))
    return sim.run.parts.algorithm.personal(state, sim.models().expand(2, -1)).flatten().tolist()  # type: ignore[union-attr]


def test_by_hand() -> None:
    # With μ = 1 and steps of ½ from 0: 1 and 3 around 2; the pull to 2 takes node 0 on to its target 2 and holds node 1
    # back at 4; then 3 pulls both of them by ½ more.
    sim = simulation(algorithm=ElasticAveraging(mu=1.0, **ONE_STEP), **line(2.0, 6.0))
    assert play(sim, 3).flatten().tolist() == [2.0, 3.0, 3.5]
    assert own_models(sim) == [2.5, 4.5]


def test_is_the_step_of_the_reference() -> None:
    # x ← (1 - μη) x - η∇F(x) + μη w, of models that nobody overwrites.
    mu, lr, w, own, expected = 0.6, 0.1, START, [START] * 3, []
    for _ in range(5):
        for _ in range(3):
            own = [
                (1 - mu * lr) * x - lr * gradient(x, shard) + mu * lr * w for x, shard in zip(own, SHARDS, strict=True)
            ]
        w = np.asarray(sum(size / 12 * x for size, x in zip(SIZES, own, strict=True)))
        expected.append(w)
    local = {"local_steps": 3, "batch_size": None, "optimizer": {"name": "sgd", "lr": lr}}
    sim = simulation(algorithm=ElasticAveraging(mu=mu, **local), **FIELDS)
    np.testing.assert_allclose(play(sim, 5)[:, 0], expected, rtol=1e-5)


def test_without_a_pull_everybody_trains_alone() -> None:
    # Node 0 halves its distance to 2, node 1 to 6.
    sim = simulation(algorithm=ElasticAveraging(mu=0.0, **ONE_STEP), **line(2.0, 6.0))
    assert play(sim, 3).flatten().tolist() == [2.0, 3.0, 3.5]
    assert own_models(sim) == [2 - 2 / 8, 6 - 6 / 8]


def test_a_silent_node_keeps_its_work() -> None:
    trigger = {"name": "periodic", "every": 3}
    sim = simulation(algorithm=ElasticAveraging(mu=0.0, **ONE_STEP), trigger=trigger, **line(8.0, 8.0))
    assert play(sim, 3).flatten().tolist() == [0.0, 0.0, 7.0]


def test_a_node_begins_from_the_model_that_it_finds() -> None:
    # Node 0 alone goes to 1 and 1½, each with w at its side; node 1 then goes from 1½ half of the way to 6.
    crash = [{"name": "crash", "node": 1, "at_round": 1, "back_at": 3}]
    sim = simulation(algorithm=ElasticAveraging(mu=1.0, **ONE_STEP), faults=crash, **line(2.0, 6.0))
    assert play(sim, 3).flatten().tolist() == [1.0, 1.5, (1.75 + 3.75) / 2]
    assert own_models(sim) == [1.75, 3.75]


def test_a_node_that_has_not_begun_uses_the_coordinators_model() -> None:
    node = {"x": torch.tensor([[1.0], [2.0]]), "begun": torch.tensor([True, False])}
    assert ElasticAveraging().personal(node, torch.tensor([[9.0], [9.0]])).tolist() == [[1.0], [9.0]]


def test_buffers_are_each_nodes_own_and_not_pulled() -> None:
    # Running means from 0 by 0.1 to 2 and to 12: 0.2 and 1.2, then 0.38 and 2.28, whatever the mean of both is.
    sim = simulation(
        algorithm=ElasticAveraging(mu=1.0, **ONE_STEP), problem="tests.tiny:Normed", nodes=2, partition=Cut()
    )
    means = [sim.run.engine.layout.views(torch.from_numpy(x_D))["running_mean"].item() for x_D in play(sim, 2)[:, 0]]
    assert means == pytest.approx([0.7, (0.38 + 2.28) / 2])
