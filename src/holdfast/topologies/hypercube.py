"""The hypercube."""

from __future__ import annotations

import networkx as nx
import numpy as np

from holdfast.errors import InputError
from holdfast.topologies.base import Undirected
from holdfast.topologies.mixing import linked

__all__ = ["Hypercube"]


class Hypercube(Undirected):
    """A hypercube: 2^m nodes, linked where their numbers differ in one binary digit.

    Raises:
        InputError: the number of nodes is no power of 2.

    Example:
        >>> sorted(Hypercube().graph(0, 8, 1).neighbors(5))
        [1, 4, 7]
    """

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The hypercube, the same in every round."""
        if nodes & (nodes - 1):
            near = 1 << nodes.bit_length()
            remedy = f"Use {near // 2} or {near} nodes, or topology: exponential, which takes any number."
            raise InputError("nodes", "be a power of 2 for the topology hypercube", nodes, remedy)
        lower, bit = (x.ravel() for x in np.meshgrid(np.arange(nodes), 1 << np.arange(nodes.bit_length() - 1)))
        links_E2 = np.stack([lower, lower | bit], axis=1)[lower & bit == 0]
        return linked(nodes, links_E2)
