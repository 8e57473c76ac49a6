"""Nodes that are slow."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from holdfast.faults.base import Fault
from holdfast.seeding import uniform
from holdfast.types import FloatArray, IntArray

__all__ = ["Straggle"]


class Straggle(Fault):
    """Some nodes are slower than the rest, so that only a share of their work is done at the deadline.

    work_i = 1 / factor where node i is slow in the round, else 1

    Which nodes are slow is named, or drawn once for the whole run: each with probability ``fraction``, by the
    seed and its own number alone, so that no process needs to know how many nodes there are.

    Example:
        >>> Straggle(nodes=(1,), factor=4).work(0, np.array([0, 1, 2]), seed=1)
        array([1.  , 0.25, 1.  ])
    """

    nodes: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        None, description="which nodes are slow; none to draw them"
    )
    fraction: float = Field(0.1, ge=0, le=1, description="the fraction of nodes that are slow, where none are named")
    factor: float = Field(2.0, gt=1, description="how many times slower than the rest")
    probability: float = Field(1.0, ge=0, le=1, description="the probability with which a slow node is slow in a round")

    def work(self, round: int, nodes_K: IntArray, seed: int) -> FloatArray:
        """(K,) the share of its local work that each node has done at the deadline, in (0, 1]."""
        if self.nodes is None:
            slow_K = uniform(seed, "straggle", nodes_K) < self.fraction
        else:
            slow_K = np.isin(nodes_K, self.nodes)
        slow_K &= uniform(seed, "straggle", nodes_K, round) < self.probability
        return np.where(slow_K, 1 / self.factor, 1.0)

    def last_node(self) -> int:
        """The greatest node named, or -1."""
        return max(self.nodes or (), default=-1)
