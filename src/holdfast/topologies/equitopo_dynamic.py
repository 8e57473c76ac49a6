"""The EquiTopo graphs with one peer a round."""

from __future__ import annotations

from typing import ClassVar

import networkx as nx
import numpy as np
from pydantic import Field

from holdfast.seeding import uniform
from holdfast.topologies.equitopo import Equitopo
from holdfast.topologies.mixing import circulant, linked
from holdfast.types import IntArray

__all__ = ["EquitopoDynamic"]


class EquitopoDynamic(Equitopo):
    """EquiDyn: one of the hops of EquiStatic a round, drawn at random, so that each node has one peer.

    W = (1 - η) I + η A(u),  A(u) = (N - 1)/N P(u) + 1/N I

    Directed (OD-EquiDyn), each node i sends to i + u. Undirected (OU-EquiDyn), the nodes are gone through from a
    random one on, and i and i + u exchange if both are still free. Either is doubly stochastic.

    Raises:
        InputError: no attempt gave hops that reach every node.

    Example:
        >>> graph = EquitopoDynamic(directed=False).graph(1, 9, seed=1)
        >>> max(degree for _, degree in graph.degree)
        1

    Source: Song et al., "Communication-efficient topologies for decentralized learning with O(1) consensus rate",
    2022, Algorithms 1 and 2.
    """

    changes: ClassVar[bool] = True

    eta: float = Field(0.5, gt=0, le=1, description="η, the weight of what is heard as a share of A(u)")

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The graph of the round's hop."""
        hops = self.hops(nodes, seed)
        u_hop, u_start = uniform(seed, "topology.equitopo_dynamic", round, np.arange(2))
        hop = hops[[int(u_hop * len(hops))]] if len(hops) else hops
        share = np.array([self.eta * (nodes - 1) / nodes])[: len(hop)]
        if self.directed or not len(hop):
            return circulant(nodes, hop, share, self.directed)
        pairs = _pairs(nodes, int(hop[0]), int(u_start * nodes))
        return linked(nodes, pairs, np.repeat(share, len(pairs)))


def _pairs(nodes: int, hop: int, start: int) -> IntArray:
    """(P, 2) the nodes that find each other still free, from a node on."""
    free, pairs = [True] * nodes, []
    for first in [*range(start, nodes), *range(start)]:
        second = (first + hop) % nodes
        if free[first] and free[second]:
            free[first] = free[second] = False
            pairs.append((first, second))
    return np.array(pairs)
