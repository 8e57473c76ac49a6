"""The Delaunay graph of nodes in the plane."""

from __future__ import annotations

import networkx as nx
import numpy as np
from scipy.spatial import Delaunay as Triangulation

from holdfast.seeding import uniform
from holdfast.topologies.base import Undirected
from holdfast.topologies.mixing import linked, place

__all__ = ["Delaunay"]


class Delaunay(Undirected):
    """The Delaunay triangulation of nodes at random places in the unit square.

    Two nodes are linked where some circle through both holds no other node. It is connected, no two links cross, and
    a node has fewer than 6 neighbours on average.

    Example:
        >>> graph = Delaunay().graph(0, 4, seed=1)
        >>> nx.is_connected(graph), graph.number_of_edges() in (5, 6)
        (True, True)

    Source: Delaunay, "Sur la sphère vide", 1934.
    """

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The triangulation with the nodes at their places, the same in every round."""
        pos_N2 = uniform(seed, "topology.delaunay", np.arange(nodes)[:, None], np.arange(2))
        if nodes < 3:  # no triangle
            return place(nx.path_graph(nodes), pos_N2)
        corners = Triangulation(pos_N2).simplices.astype(np.int64)
        return place(
            linked(nodes, np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]])), pos_N2
        )
