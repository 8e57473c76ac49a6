"""The star."""

from __future__ import annotations

import networkx as nx

from holdfast.topologies.base import Undirected

__all__ = ["Star"]


class Star(Undirected):
    """A star: node 0 in the centre is linked to every other node, and nobody else is linked.

    With a coordinator the centre is the coordinator itself; between peers it is node 0.

    Example:
        >>> sorted(Star().graph(0, 4, 1).edges)
        [(0, 1), (0, 2), (0, 3)]
    """

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The star, the same in every round."""
        return nx.star_graph(nodes - 1)
