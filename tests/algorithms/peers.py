"""Six peers on a wheel with two samples each in the plane, and five on a cycle with a number each, for plain loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import networkx as nx
import numpy as np

from holdfast.runtimes.simulation import Simulation
from holdfast.types import FloatArray

from ..tiny import Cut, line, play, simulation
from .test_fedavg import PLANE, gradient

TARGETS = (0.0, 4.0, -2.0, 10.0, 3.0)
MIDDLE = float(np.mean(TARGETS))
START = np.array([1.0, -1.0])
FIELDS: dict[str, Any] = {"problem": PLANE, "nodes": 6, "partition": Cut(), "topology": "wheel"}
GRAPH = nx.wheel_graph(6)
EVERYONE = range(6)


def metropolis(graph: nx.Graph) -> FloatArray:
    W = np.zeros((len(graph), len(graph)))
    for i, j in graph.edges:
        W[i, j] = W[j, i] = 1 / (1 + max(graph.degree[i], graph.degree[j]))
    return W + np.diag(1 - W.sum(1))


W = metropolis(GRAPH)


def mixed(rows: list[FloatArray]) -> list[FloatArray]:
    """Σ_j W_ij x_j of every peer, all from the rows as they are."""
    return [np.asarray(sum(W[i, j] * rows[j] for j in EVERYONE)) for i in EVERYONE]


def gradients(rows: list[FloatArray]) -> list[FloatArray]:
    """Of every peer, on both of its samples."""
    return [gradient(x_i, slice(2 * i, 2 * i + 2)) for i, x_i in enumerate(rows)]


def starts() -> list[FloatArray]:
    return [START.copy() for _ in EVERYONE]


def zeros() -> list[FloatArray]:
    return [np.zeros(2) for _ in EVERYONE]


def check(algorithm: Any, loop: Callable[[], Iterator[list[FloatArray]]], rounds: int = 7, **more: Any) -> Simulation:
    """The algorithm's models after each round are the loop's."""
    sim = simulation(algorithm=algorithm, **FIELDS, **more)
    expected = [np.stack(rows) for rows in islice(loop(), rounds)]
    np.testing.assert_allclose(play(sim, rounds), expected, rtol=2e-5, atol=2e-6)
    return sim


def at_the_end(algorithm: Any, rounds: int, **more: Any) -> FloatArray:
    """Where the five peers on a cycle come to, whose losses have their minima at the targets."""
    sim = simulation(algorithm=algorithm, **{"topology": "cycle", **line(*TARGETS), **more})
    return np.asarray(play(sim, rounds)[-1].flatten())


def check_exact(algorithm: Any, rounds: int, atol: float = 1e-6, **more: Any) -> None:
    """Every peer comes to the minimum of the mean loss."""
    np.testing.assert_allclose(at_the_end(algorithm, rounds, **more), MIDDLE, atol=atol, rtol=0)
