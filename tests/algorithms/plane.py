"""Twelve samples in the plane over three nodes of different sizes, for plain loops in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.runtimes.simulation import Simulation
from holdfast.types import FloatArray

from ..tiny import Cut, notes
from .test_fedavg import PLANE, X, Y, gradient

SIZES = (5, 1, 6)
ENDS = np.cumsum(SIZES)
SHARDS = [slice(end - size, end) for size, end in zip(SIZES, ENDS, strict=True)]
START = np.array([1.0, -1.0])
FIELDS: dict[str, Any] = {"problem": PLANE, "nodes": 3, "partition": Cut(sizes=SIZES)}


def loss(w: FloatArray, shard: slice) -> float:
    return float(np.mean([0.5 * (x @ w - y) ** 2 for x, y in zip(X[shard], Y[shard], strict=True)]))


def optimum(shares: FloatArray) -> FloatArray:
    """Where the mean of the nodes' losses, each by its share, is least."""
    A = sum(p * X[s].T @ X[s] / len(Y[s]) for p, s in zip(shares, SHARDS, strict=True))
    b = sum(p * X[s].T @ Y[s] / len(Y[s]) for p, s in zip(shares, SHARDS, strict=True))
    return np.linalg.solve(np.asarray(A), np.asarray(b))


def heard(sim: Simulation, round: int) -> list[int]:
    """Whom the coordinator heard in a round that was played."""
    return sorted(notes(sim).by_node(round, "bytes_up"))


__all__ = ["FIELDS", "SHARDS", "SIZES", "START", "gradient", "heard", "loss", "optimum"]
