"""The small world of Watts and Strogatz."""

from __future__ import annotations

import networkx as nx
from pydantic import Field

from holdfast.errors import InputError
from holdfast.seeding import address
from holdfast.topologies.base import Undirected

__all__ = ["SmallWorld"]


class SmallWorld(Undirected):
    """A small world: a ring of near neighbours in which some links lead to a random node instead.

    Each node is linked to the k / 2 nodes on either side of it; then the far end of each link is moved to a random
    node with probability p. Graphs are drawn until one is connected.

    Raises:
        InputError: there are no more nodes than k, or no attempt gave a connected graph.

    Example:
        >>> graph = SmallWorld(k=4, p=0.2).graph(0, 20, seed=1)
        >>> nx.is_connected(graph), graph.number_of_edges()
        (True, 40)

    Source: Watts & Strogatz, "Collective dynamics of 'small-world' networks", 1998.
    """

    k: int = Field(4, ge=2, multiple_of=2, description="how many neighbours each node starts with, in nodes")
    p: float = Field(0.1, ge=0, le=1, description="how likely a link is moved, as a probability")
    attempts: int = Field(100, ge=1, description="how many graphs may be drawn in search of a connected one, in graphs")

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The first connected graph, the same in every round."""
        if nodes <= self.k:
            remedy = f"Use at least {self.k + 1} nodes, or a lower k."
            raise InputError("topology.k", f"be below the number of nodes, {nodes}", self.k, remedy)
        source = int(address(seed, "topology.small_world"))
        try:
            return nx.connected_watts_strogatz_graph(nodes, self.k, self.p, self.attempts, seed=source)
        except nx.NetworkXError:
            given = f"k {self.k} and p {self.p} over {nodes} nodes, {self.attempts} attempts"
            remedy = "Raise k or attempts, or lower p."
            raise InputError("topology", "give a connected graph", given, remedy) from None
