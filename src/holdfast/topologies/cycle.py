"""The cycle."""

from __future__ import annotations

import networkx as nx

from holdfast.topologies.base import Undirected

__all__ = ["Cycle"]


class Cycle(Undirected):
    """A cycle: node i is linked to nodes i - 1 and i + 1, modulo the number of nodes.

    Two nodes share one link and a single node has none, since nobody talks to itself.

    Example:
        >>> sorted(Cycle().graph(0, 4, 1).edges)
        [(0, 1), (0, 3), (1, 2), (2, 3)]
        >>> sorted(Cycle().graph(0, 1, 1).edges)
        []
    """

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The cycle, the same in every round."""
        # networkx gives a cycle of one node a link to itself, hence the path.
        return nx.cycle_graph(nodes) if nodes > 2 else nx.path_graph(nodes)
