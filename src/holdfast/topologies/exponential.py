"""The static exponential graph."""

from __future__ import annotations

import networkx as nx
import numpy as np

from holdfast.topologies.base import Weighted
from holdfast.topologies.mixing import circulant
from holdfast.types import IntArray

__all__ = ["Exponential", "hops"]


def hops(nodes: int) -> IntArray:
    """(τ,) the powers of 2 below the number of nodes: 1, 2, 4, …, 2^(τ-1) with τ = ⌈log₂ nodes⌉.

    Example:
        >>> hops(6).tolist()
        [1, 2, 4]
    """
    powers: IntArray = 1 << np.arange((nodes - 1).bit_length())
    return powers


class Exponential(Weighted):
    """The exponential graph: each node i sends to the nodes i + 1, i + 2, i + 4, …, modulo the number of nodes.

    W_ij = 1 / (τ + 1) for j = i and for j = i - 2^k mod N, k = 0..τ-1,  τ = ⌈log₂ N⌉

    It is directed, and doubly stochastic for any N. With so few links its spectral gap falls only as 1 / log N: it is
    2 / (τ + 1) for an even N.

    Example:
        >>> sorted(Exponential().graph(0, 8, 1).successors(6))
        [0, 2, 7]

    Source: Ying et al., "Exponential graph is provably efficient for decentralized deep training", 2021.
    """

    def graph(self, round: int, nodes: int, seed: int) -> nx.DiGraph:
        """The exponential graph, the same in every round."""
        far = hops(nodes)
        return circulant(nodes, far, np.full(len(far), 1 / (len(far) + 1)))
