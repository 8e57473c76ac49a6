"""The static EquiTopo graphs."""

from __future__ import annotations

from math import gcd

import networkx as nx
import numpy as np
from pydantic import Field

from holdfast.errors import InputError
from holdfast.seeding import uniform
from holdfast.topologies.base import Weighted
from holdfast.topologies.mixing import circulant
from holdfast.types import IntArray

__all__ = ["Equitopo"]


class Equitopo(Weighted):
    """EquiStatic: each node i sends to i + u for M random hops u, the same for all nodes and modulo their number.

    W = 1/M Σ_m A(u_m),  A(u) = (N - 1)/N P(u) + 1/N I,  P(u) x = x shifted by u,  u_m uniform in 1..N-1

    It is doubly stochastic, and with M of the order of log N its spectral gap does not shrink as N grows. Undirected
    (U-EquiStatic), A(u) is (A(u) + A(u)ᵀ) / 2, and a node has up to 2 M neighbours. The hops are drawn anew until the
    graph is connected.

    Raises:
        InputError: no attempt gave a connected graph.

    Example:
        >>> graph = Equitopo(basis=3).graph(0, 300, seed=1)
        >>> sorted(receiver for receiver in graph.successors(0))
        [29, 241, 248]

    Source: Song et al., "Communication-efficient topologies for decentralized learning with O(1) consensus rate", 2022.
    """

    directed: bool = Field(True, description="whether a link carries messages one way only: true or false")
    basis: int | None = Field(None, ge=1, description="M, how many hops are drawn; left out, ⌈log₂ nodes⌉")
    attempts: int = Field(100, ge=1, description="how often the hops may be drawn for a connected graph, in draws")

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The graph of all hops, the same in every round."""
        hops = self.hops(nodes, seed)
        share = (nodes - 1) / nodes / max(1, len(hops))
        return circulant(nodes, hops, np.full(len(hops), share), self.directed)

    def hops(self, nodes: int, seed: int) -> IntArray:
        """(M,) the hops, all of which together reach every node."""
        count = (self.basis or (nodes - 1).bit_length()) if nodes > 1 else 0
        for attempt in range(self.attempts):
            u_M = uniform(seed, "topology.equitopo", attempt, np.arange(count))
            hops: IntArray = 1 + (u_M * (nodes - 1)).astype(np.int64)
            if gcd(nodes, *hops.tolist()) == 1:
                return hops
        given = f"{count} hops over {nodes} nodes, {self.attempts} attempts"
        raise InputError("topology", "give a connected graph", given, "Raise basis or attempts.")
