"""The path."""

from __future__ import annotations

import networkx as nx

from holdfast.topologies.base import Undirected

__all__ = ["Path"]


class Path(Undirected):
    """A path: node i is linked to nodes i - 1 and i + 1, and the two ends to one node each.

    Example:
        >>> sorted(Path().graph(0, 4, 1).edges)
        [(0, 1), (1, 2), (2, 3)]
    """

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The path, the same in every round."""
        return nx.path_graph(nodes)
