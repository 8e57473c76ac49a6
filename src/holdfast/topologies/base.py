"""The contract of topologies, and the Metropolis weights."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import networkx as nx
import numpy as np
from scipy import sparse

from holdfast.component import Component

__all__ = ["Topology"]


class Topology(Component):
    """Who talks to whom: an undirected graph over the nodes 0..N-1, the same in every round unless `changes`."""

    family: ClassVar[str] = "topologies"
    changes: ClassVar[bool] = False
    """Whether the graph differs from round to round."""

    @abstractmethod
    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The graph of a round.

        Raises:
            InputError: no connected graph of this kind over that many nodes.
        """

    def weights(self, graph: nx.Graph) -> sparse.csr_array:
        r"""Metropolis weights, symmetric and doubly stochastic (Xiao & Boyd 2004).

        W_ij = 1 / (1 + max(d_i, d_j)) on the edges, W_ii = 1 - Σ_j W_ij.

        Args:
            graph: a graph over 0..N-1.

        Returns:
            The (N, N) mixing matrix.

        Example:
            >>> from holdfast.topologies import Cycle
            >>> Cycle().weights(nx.cycle_graph(3)).toarray().round(3).tolist()
            [[0.333, 0.333, 0.333], [0.333, 0.333, 0.333], [0.333, 0.333, 0.333]]
        """
        size = graph.number_of_nodes()
        degrees = np.array([graph.degree(node) for node in range(size)])
        edges = np.array(list(graph.edges), dtype=np.int64).reshape(-1, 2)
        off = 1.0 / (1.0 + np.maximum(degrees[edges[:, 0]], degrees[edges[:, 1]]))
        rows, columns = np.concatenate([edges, edges[:, ::-1]]).T
        W = sparse.csr_array((np.concatenate([off, off]), (rows, columns)), shape=(size, size))
        return sparse.csr_array(W + sparse.diags_array(1.0 - np.asarray(W.sum(axis=1)).ravel()))
