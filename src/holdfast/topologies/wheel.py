"""The wheel."""

from __future__ import annotations

import networkx as nx

from holdfast.topologies.base import Undirected

__all__ = ["Wheel"]


class Wheel(Undirected):
    """A wheel: node 0 in the centre is linked to every other node, and the others form a cycle.

    Example:
        >>> sorted(Wheel().graph(0, 5, 1).edges)
        [(0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 4), (2, 3), (3, 4)]
    """

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The wheel, the same in every round."""
        return nx.wheel_graph(nodes)
