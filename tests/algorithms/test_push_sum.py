from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from holdfast.algorithms.decentralised.push_sum import PushSum
from holdfast.runtimes.simulation import Simulation
from holdfast.topologies import Topology

from ..contract import PROPERTY
from ..tiny import Cut, line, play, simulation
from .test_fedavg import PLANE, gradient

STILL = 1e-30
"""A learning rate by which nothing moves."""
RING = nx.DiGraph([(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (0, 3), (2, 5)])


class OneWay(Topology):
    """Six nodes on a ring that leads one way, and two short cuts."""

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        return RING


def column_weights(graph: nx.DiGraph) -> np.ndarray:
    A = np.eye(len(graph))
    for j, i in graph.edges:
        A[i, j] = 1
    return np.asarray(A / A.sum(0))


def started(start: list[float], **fields: Any) -> tuple[Simulation, torch.Tensor]:
    """A run of six peers from different models, and those."""
    whole: dict[str, Any] = {**line(*[0.0] * 6), "topology": OneWay(), "algorithm": PushSum(lr=STILL), **fields}
    sim = simulation(**whole)
    x_KD = torch.tensor(start).unsqueeze(1)
    sim.nodes.stores["algorithm"].put(sim.run.everyone, {"x": x_KD, "weight": torch.ones(6, 1), "buffers": x_KD[:, 1:]})
    return sim, x_KD


def state(sim: Simulation) -> tuple[torch.Tensor, torch.Tensor]:
    held = sim.nodes.stores["algorithm"].take(sim.run.everyone)
    return held["x"].double(), held["weight"].double()


def test_by_hand() -> None:
    # Node 0 shares itself among 0, 1 and 3, node 1 among 1 and 2, ...: x is 6/3 of its own and nothing of node 5 = 0.
    sim, _ = started([6.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    play(sim, 1)
    x_KD, weight_K1 = state(sim)
    assert x_KD.flatten().tolist() == [2.0, 2.0, 0.0, 2.0, 0.0, 0.0]
    assert weight_K1.flatten().tolist() == pytest.approx([1 / 3 + 1 / 2, 1 / 3 + 1 / 2, 5 / 6, 7 / 6, 1, 4 / 3])
    assert sim.models().flatten().tolist() == pytest.approx([2.4, 2.4, 0, 12 / 7, 0, 0])


def test_against_a_plain_loop() -> None:
    A, alpha = column_weights(RING), 0.2
    x, w, expected = [np.array([1.0, -1.0])] * 6, [1.0] * 6, []
    for _ in range(6):
        half = [x[i] - alpha * gradient(x[i] / w[i], slice(2 * i, 2 * i + 2)) for i in range(6)]
        x = [np.asarray(sum(A[i, j] * half[j] for j in range(6))) for i in range(6)]
        w = [sum(A[i, j] * w[j] for j in range(6)) for i in range(6)]
        expected.append(np.stack([x[i] / w[i] for i in range(6)]))
    algorithm = PushSum(lr=alpha, batch_size=None)
    sim = simulation(algorithm=algorithm, problem=PLANE, nodes=6, partition=Cut(), topology=OneWay())
    np.testing.assert_allclose(play(sim, 6), expected, rtol=2e-5, atol=2e-6)


WEATHER: dict[str, dict[str, Any]] = {
    "calm": {},
    "lossy links": {"faults": [{"name": "drop", "probability": 0.4}]},
    "crashes": {"faults": [{"name": "crash", "node": 2, "at_round": 2, "back_at": 5}]},
    "silence": {"trigger": {"name": "periodic", "every": 2}},
    "late": {"faults": [{"name": "delay", "probability": 0.3, "rounds": 1}]},
    "failing edges": {"topology": {"name": "failing", "topology": "exponential", "p": 0.3}},
    "a peer at a time": {"topology": "one_peer_exponential"},
    "failing, lossy and crashing": {
        "topology": {"name": "failing", "topology": "one_peer_exponential", "p": 0.2},
        "faults": [{"name": "drop", "probability": 0.3}, {"name": "crash", "node": 1, "at_round": 4, "back_at": 6}],
    },
}


@pytest.mark.parametrize("weather", WEATHER)
def test_nothing_is_lost_and_all_come_to_the_mean(weather: str) -> None:
    sim, start_KD = started([6.0, 1.0, -3.0, 0.0, 5.0, 9.0], **WEATHER[weather])
    for round in range(1, 41):
        sim.step(round)
        x_KD, weight_K1 = state(sim)
        assert float(x_KD.sum()) == pytest.approx(float(start_KD.sum()), abs=1e-4)
        assert float(weight_K1.sum()) == pytest.approx(6, abs=1e-4)
        assert (weight_K1 > 0).all()
    np.testing.assert_allclose(sim.models().numpy(), float(start_KD.mean()), atol=0.02)


def test_comes_to_where_the_equations_hold() -> None:
    # x = A(x - α(x/w - b)) with w = A w; near the minimum of the mean loss, and not of the one that w would weigh.
    alpha, A, b = 0.1, column_weights(RING), np.array([0.0, 4, -2, 10, 3, 9])
    values, vectors = np.linalg.eig(A)
    w = np.real(vectors[:, np.argmax(np.real(values))])
    w *= 6 / w.sum()
    x = np.linalg.solve(np.eye(6) - A @ (np.eye(6) - alpha * np.diag(1 / w)), alpha * A @ b)
    found = play(simulation(algorithm=PushSum(lr=alpha, batch_size=None), topology=OneWay(), **line(*b)), 150)[-1]
    np.testing.assert_allclose(found.flatten(), x / w, rtol=1e-4)
    assert abs(np.mean(x / w) - np.mean(b)) < 0.5 * abs(w @ b / 6 - np.mean(b))


@PROPERTY
@given(size=st.integers(1, 9), density=st.sampled_from([0.1, 0.5, 1.0]), seed=st.integers(0, 99))
def test_each_column_shares_evenly(size: int, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    W_NN = rng.random((size, size)) * (rng.random((size, size)) < density)
    A_NN = PushSum().links(sparse.csr_array(W_NN), 1, 1).toarray()
    np.testing.assert_allclose(A_NN.sum(0), 1)
    linked = (W_NN > 0) | np.eye(size, dtype=bool)
    assert ((A_NN > 0) == linked).all()
    np.testing.assert_allclose(A_NN, linked / linked.sum(0))


def test_a_negative_weight_counts_as_nothing() -> None:
    sim, _ = started([1.0] * 6, attack={"name": "sign_flip", "nodes": [0, 2]})
    play(sim, 20)
    assert (state(sim)[1] > 0).all()


def test_buffers_are_averaged_without_weights() -> None:
    # The means are 2 and 12: each moves a tenth of the way, and then they mix, twice. Batches are counted exactly.
    sim = simulation(
        algorithm=PushSum(batch_size=None), problem="tests.tiny:Normed", nodes=2, partition=Cut(), topology="complete"
    )
    first, second = (
        sim.run.engine.layout.views(torch.from_numpy(x_KD))["running_mean"].flatten() for x_KD in play(sim, 2)
    )
    assert first.tolist() == pytest.approx([0.7, 0.7])
    assert second.tolist() == pytest.approx([0.7 + 0.1 * (7 - 0.7)] * 2)
    assert sim.models()[:, -1].tolist() == [2, 2]
