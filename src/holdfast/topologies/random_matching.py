"""Random pairs, drawn anew each round."""

from __future__ import annotations

from typing import ClassVar

import networkx as nx
import numpy as np

from holdfast.seeding import uniform
from holdfast.topologies.base import Undirected
from holdfast.topologies.mixing import linked

__all__ = ["RandomMatching"]


class RandomMatching(Undirected):
    """Every round the nodes are paired at random, each with one other; of an odd number one stays alone.

    By the Metropolis weights the two of a pair take their mean.

    Example:
        >>> graph = RandomMatching().graph(1, 5, seed=1)
        >>> sorted(degree for _, degree in graph.degree)
        [0, 1, 1, 1, 1]

    Source: synchronous pairwise gossip as in Boyd et al., "Randomized gossip algorithms", 2006.
    """

    changes: ClassVar[bool] = True

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The pairs of the round."""
        order = np.argsort(uniform(seed, "topology.random_matching", round, np.arange(nodes)), kind="stable")
        return linked(nodes, order[: nodes - nodes % 2].reshape(-1, 2))
