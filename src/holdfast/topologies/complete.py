"""The complete graph."""

from __future__ import annotations

import networkx as nx

from holdfast.topologies.base import Undirected

__all__ = ["Complete"]


class Complete(Undirected):
    """The complete graph: every node is linked to every other.

    Its Metropolis weights are all 1/N, so one mixing is the exact mean.

    Example:
        >>> sorted(Complete().graph(0, 3, 1).edges)
        [(0, 1), (0, 2), (1, 2)]
    """

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The complete graph, the same in every round."""
        return nx.complete_graph(nodes)
