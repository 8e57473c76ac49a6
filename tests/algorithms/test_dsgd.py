from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch

from holdfast.algorithms.decentralised.dsgd import DSGD
from holdfast.types import FloatArray

from ..tiny import Cut, line, notes, play, simulation
from .test_fedavg import PLANE, gradient

TARGETS = (0.0, 4.0, -2.0, 10.0, 3.0)


def metropolis(graph: nx.Graph) -> FloatArray:
    W = np.zeros((len(graph), len(graph)))
    for i, j in graph.edges:
        W[i, j] = W[j, i] = 1 / (1 + max(graph.degree[i], graph.degree[j]))
    return W + np.diag(1 - W.sum(1))


def dsgd(**fields: Any) -> DSGD:
    return DSGD(batch_size=None, **fields)


def test_by_hand() -> None:
    # Two linked nodes mix by halves. From 0 and 0 they step by a quarter of their gradients, 0 and -8.
    both = line(0.0, 8.0)
    assert play(simulation(algorithm=dsgd(lr=0.25), topology="complete", **both), 1).flatten().tolist() == [0.0, 2.0]
    # The next round: the mean is 1, the gradients 0 and -6.
    second = play(simulation(algorithm=dsgd(lr=0.25), topology="complete", **both), 2)[1]
    assert second.flatten().tolist() == [1.0, 2.5]
    after = simulation(algorithm=dsgd(lr=0.25, order="adapt_then_combine"), topology="complete", **both)
    assert play(after, 1).flatten().tolist() == [1.0, 1.0]


@pytest.mark.parametrize("order", ["combine_then_adapt", "adapt_then_combine"])
@pytest.mark.parametrize("mu", [0.0, 0.7])
def test_against_a_plain_loop(order: str, mu: float) -> None:
    W, alpha = metropolis(nx.wheel_graph(6)), 0.2
    shards = [slice(2 * i, 2 * i + 2) for i in range(6)]
    x = [np.array([1.0, -1.0])] * 6
    expected = []
    for _ in range(5):
        step = [alpha * gradient(x_i, shard) for x_i, shard in zip(x, shards, strict=True)]
        if order == "combine_then_adapt":
            x = [sum(W[i, j] * x[j] for j in range(6)) - step[i] for i in range(6)]
        else:
            x = [sum(W[i, j] * (x[j] - step[j]) for j in range(6)) for i in range(6)]
        alpha *= 1 - mu * alpha
        expected.append(np.stack(x))
    sim = simulation(
        algorithm=dsgd(lr=0.2, mu=mu, order=order), problem=PLANE, nodes=6, partition=Cut(), topology="wheel"
    )
    np.testing.assert_allclose(play(sim, 5), expected, rtol=1e-5, atol=1e-6)


def fixed_point(order: str, alpha: float) -> FloatArray:
    """Where x = W x - α(x - b), or x = W(x - α(x - b)), holds."""
    W, eye, b = metropolis(nx.cycle_graph(5)), np.eye(5), np.array(TARGETS)
    if order == "combine_then_adapt":
        return np.asarray(np.linalg.solve(eye - W + alpha * eye, alpha * b))
    return np.asarray(np.linalg.solve(eye - (1 - alpha) * W, alpha * W @ b))


@pytest.mark.parametrize("order", ["combine_then_adapt", "adapt_then_combine"])
def test_converges_to_its_biased_fixed_point(order: str) -> None:
    sim = simulation(algorithm=dsgd(lr=0.2, order=order), topology="cycle", **line(*TARGETS))
    x = play(sim, 120)[-1].flatten()
    np.testing.assert_allclose(x, fixed_point(order, 0.2), rtol=1e-5, atol=1e-5)
    assert np.mean(x) == pytest.approx(np.mean(TARGETS), abs=1e-4), "the mean of the peers has no bias"
    assert np.abs(x - np.mean(TARGETS)).max() > 0.1, "the test shows no bias"


def test_buffers_are_mixed_and_moved() -> None:
    # Two linked nodes mix their statistics by halves and move their own: 0.1 · 2 and 0.1 · 12 from 0.
    sim = simulation(algorithm=dsgd(), problem="tests.tiny:Normed", nodes=2, partition=Cut(), topology="complete")
    first, second = (
        sim.run.engine.layout.views(torch.from_numpy(x_KD))["running_mean"].flatten() for x_KD in play(sim, 2)
    )
    assert first.tolist() == pytest.approx([0.2, 1.2])
    # Mixed 0.7; what each moves by is 0.1 (mean - own): 0.1 (2 - 0.2) and 0.1 (12 - 1.2).
    assert second.tolist() == pytest.approx([0.7 + 0.18, 0.7 + 1.08])


def test_silent_peers_weigh_on_themselves() -> None:
    # Speaking in every second round: alone in round 1, mixing by halves in round 2.
    sim = simulation(
        algorithm=dsgd(lr=0.5), topology="complete", trigger={"name": "periodic", "every": 2}, **line(0.0, 8.0)
    )
    first, second = play(sim, 2)
    assert first.flatten().tolist() == [0.0, 4.0]
    assert second.flatten().tolist() == [2.0, 4.0]
    assert notes(sim).by_node(1, "bytes_up") == {}
    assert notes(sim).by_node(2, "bytes_up") == {0: 4, 1: 4}
