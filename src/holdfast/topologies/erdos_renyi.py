"""The random graph of Erdős and Rényi."""

from __future__ import annotations

import networkx as nx
import numpy as np
from pydantic import Field

from holdfast.errors import InputError
from holdfast.seeding import uniform
from holdfast.topologies.base import Undirected

__all__ = ["ErdosRenyi"]


class ErdosRenyi(Undirected):
    """A random graph: each pair of nodes is linked with probability p, drawn anew until it is connected.

    Attempt a links the pair i < j where u(seed, a, i, j) < p, with u uniform in [0, 1). The first connected
    graph is the graph of every round.

    Raises:
        InputError: no attempt gave a connected graph.

    Example:
        >>> graph = ErdosRenyi(p=0.6).graph(0, 10, seed=1)
        >>> nx.is_connected(graph)
        True

    Source: Gilbert, "Random graphs", 1959; Erdős & Rényi, "On random graphs I", 1959.
    """

    p: float = Field(0.5, gt=0, le=1, description="how likely a pair of nodes is linked, as a probability")
    attempts: int = Field(100, ge=1, description="how many graphs may be drawn in search of a connected one, in graphs")

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The first connected graph, the same in every round."""
        for attempt in range(self.attempts):
            graph = self._draw(nodes, seed, attempt)
            if nx.is_connected(graph):
                return graph
        given = f"p {self.p} over {nodes} nodes, {self.attempts} attempts"
        remedy = "Raise p (a connected graph is likely from p = 2 ln(nodes) / nodes on) or attempts."
        raise InputError("topology", "give a connected graph", given, remedy)

    def _draw(self, nodes: int, seed: int, attempt: int) -> nx.Graph:
        first, second = np.triu_indices(nodes, 1)
        linked = uniform(seed, "topology.erdos_renyi", attempt, first, second) < self.p
        graph = nx.empty_graph(nodes)
        graph.add_edges_from(zip(first[linked].tolist(), second[linked].tolist(), strict=True))
        return graph
