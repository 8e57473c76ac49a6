"""The one-peer exponential graph."""

from __future__ import annotations

from typing import ClassVar

import networkx as nx
import numpy as np

from holdfast.topologies.base import Weighted
from holdfast.topologies.exponential import hops
from holdfast.topologies.mixing import circulant

__all__ = ["OnePeerExponential"]


class OnePeerExponential(Weighted):
    """The exponential graph, one hop a round: in round t each node i sends to i + 2^(t mod τ) alone, τ = ⌈log₂ N⌉.

    W_ij = 1/2 for j = i and for j = i - 2^(t mod τ) mod N

    It is directed and doubly stochastic. If N is a power of 2, any τ rounds in a row give the exact mean.

    Example:
        >>> sorted(OnePeerExponential().graph(1, 4, 1).edges)
        [(0, 2), (1, 3), (2, 0), (3, 1)]

    Source: Assran et al., "Stochastic Gradient Push for distributed deep learning", 2019; Ying et al., "Exponential
    graph is provably efficient for decentralized deep training", 2021.
    """

    changes: ClassVar[bool] = True

    def graph(self, round: int, nodes: int, seed: int) -> nx.DiGraph:
        """The graph of the round's hop."""
        far = hops(nodes)
        hop = far[round % max(1, len(far)) :][:1]  # a single node has none
        return circulant(nodes, hop, np.full(len(hop), 0.5))
