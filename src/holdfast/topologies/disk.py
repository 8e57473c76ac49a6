"""The disk graph of nodes in the plane."""

from __future__ import annotations

from bisect import bisect_left

import networkx as nx
import numpy as np
from pydantic import Field, model_validator
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist

from holdfast.errors import InputError
from holdfast.seeding import uniform
from holdfast.topologies.base import Undirected
from holdfast.topologies.mixing import linked, place
from holdfast.topologies.spectrum import fiedler
from holdfast.types import FloatArray, IntArray

__all__ = ["Disk", "within"]


def within(pos_N2: FloatArray, radius: float) -> nx.Graph:
    """The graph that links all nodes at most a radius apart, each at its place.

    Example:
        >>> sorted(within(np.array([[0.0, 0.0], [0.3, 0.4], [1.0, 0.4]]), radius=0.5).edges)
        [(0, 1)]
    """
    pairs = KDTree(pos_N2).query_pairs(radius, output_type="ndarray").astype(np.int64)
    return place(linked(len(pos_N2), pairs), pos_N2)


class Disk(Undirected):
    """A disk graph: nodes at random places in the unit square, linked where they are at most a radius apart.

    With a `radius` the places are drawn anew until the graph is connected. Otherwise they are drawn once, and the
    radius is the least that gives the algebraic connectivity asked for, found by bisection; without that either, the
    least that connects all nodes.

    Raises:
        InputError: no draw gave a connected graph, or no radius gives so high an algebraic connectivity.

    Example:
        >>> from holdfast.topologies.spectrum import algebraic_connectivity
        >>> graph = Disk(connectivity=0.7).graph(0, 10, seed=1)
        >>> 0.7 <= algebraic_connectivity(graph) < 1
        True
        >>> len(graph.nodes[3]["pos"])
        2

    Source: Gilbert, "Random plane networks", 1961; a target for the algebraic connectivity as in Yu, Vincent &
    Schwager, "DiNNO: distributed neural network optimization for multi-robot collaborative learning", 2022.
    """

    radius: float | None = Field(
        None, gt=0, description="how far a link reaches, in sides of the unit square; left out, as far as it must"
    )
    connectivity: float | None = Field(
        None, gt=0, description="the least algebraic connectivity (Fiedler value), a number up to the number of nodes"
    )
    attempts: int = Field(100, ge=1, description="how often places may be drawn for a given radius, in draws")

    @model_validator(mode="after")
    def _one_aim(self) -> Disk:
        if self.radius is not None and self.connectivity is not None:
            given = f"radius {self.radius} and connectivity {self.connectivity}"
            raise InputError("radius", "be left out where connectivity is given", given, "Leave one of them out.")
        return self

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The graph with its nodes at their places, the same in every round."""
        if self.radius is None:
            return self._least(_places(nodes, seed, 0))
        for attempt in range(self.attempts):
            graph = within(_places(nodes, seed, attempt), self.radius)
            if nx.is_connected(graph):
                return graph
        given = f"radius {self.radius} over {nodes} nodes, {self.attempts} attempts"
        remedy = "Raise radius or attempts, or leave radius out for the least that connects all nodes."
        raise InputError("topology", "give a connected graph", given, remedy)

    def _least(self, pos_N2: FloatArray) -> nx.Graph:
        """The graph of the shortest links that are enough."""
        nodes = len(pos_N2)
        if self.connectivity is not None and self.connectivity > nodes:
            remedy = "Lower it, or use more nodes: the complete graph has an algebraic connectivity of nodes."
            raise InputError(
                "topology.connectivity", f"be at most {nodes} over {nodes} nodes", self.connectivity, remedy
            )
        pairs = np.stack(np.triu_indices(nodes, 1), axis=1)[np.argsort(pdist(pos_N2), kind="stable")]
        upper = nodes
        while upper < len(pairs) and not self._enough(nodes, pairs[:upper]):
            upper *= 2
        count = bisect_left(range(min(upper, len(pairs))), True, key=lambda count: self._enough(nodes, pairs[:count]))
        return place(linked(nodes, pairs[:count]), pos_N2)

    def _enough(self, nodes: int, links_E2: IntArray) -> bool:
        """Whether the links connect the nodes as well as asked for."""
        ones = np.ones(len(links_E2))
        half = sparse.csr_array((ones, (links_E2[:, 0], links_E2[:, 1])), shape=(nodes, nodes))
        if self.connectivity is None:
            return bool(connected_components(half, directed=False)[0] == 1)
        return fiedler(half + half.T) >= self.connectivity * (1 - 1e-9)


def _places(nodes: int, seed: int, attempt: int) -> FloatArray:
    """(N, 2) random places in the unit square."""
    return uniform(seed, "topology.disk", attempt, np.arange(nodes)[:, None], np.arange(2))
