"""The contract of topologies, and the families of undirected and of weighted graphs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import networkx as nx
import numpy as np
from pydantic import Field
from scipy import sparse

from holdfast.component import Component
from holdfast.topologies.mixing import Weighting, carried, completed, links, mixing
from holdfast.types import FloatArray

__all__ = ["Topology", "Undirected", "Weighted"]


class Topology(Component):
    """Who talks to whom: a graph over the nodes 0..N-1, the same in every round unless `changes`.

    An edge of an undirected graph carries messages both ways; an edge u → v of a directed one those of u to v. A node
    at a place of its own has it as the attribute ``pos``, (x, y) in the unit square.
    """

    family: ClassVar[str] = "topologies"
    changes: ClassVar[bool] = False
    """Whether the graph differs from round to round."""

    @abstractmethod
    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The graph of a round; rounds count from 1.

        Raises:
            InputError: no connected graph of this kind over that many nodes.
        """

    def placed(self, places: Callable[[int], FloatArray]) -> Topology:
        """The topology around robots of the problem; the same unless it links nodes by where they are.

        Args:
            places: ``f(round)``: (N, 2) where each node is, in the unit square.
        """
        return self

    def weights(self, graph: nx.Graph) -> sparse.csr_array:
        r"""The mixing matrix W[receiver, sender], whose rows sum to 1.

        Metropolis weights on an undirected graph, symmetric and doubly stochastic: W_ij = 1 / (1 + max(d_i, d_j)) on
        the edges, W_ii = 1 - Σ_j W_ij. On a directed one every node takes the mean of itself and of all it hears.

        Args:
            graph: a graph over 0..N-1.

        Returns:
            The (N, N) mixing matrix.

        Example:
            >>> from holdfast.topologies import Cycle
            >>> Cycle().weights(nx.cycle_graph(3)).toarray().round(3).tolist()
            [[0.333, 0.333, 0.333], [0.333, 0.333, 0.333], [0.333, 0.333, 0.333]]

        Source: Xiao, Boyd & Lall, "A scheme for robust distributed sensor fusion based on average consensus", 2005.
        """
        return mixing(graph, "uniform" if graph.is_directed() else "metropolis")

    def column_weights(self, graph: nx.Graph) -> sparse.csr_array:
        r"""The matrix A[receiver, sender] whose columns sum to 1, so that mixing keeps the sum whatever the graph.

        A_ij = 1 / (1 + out-degree of j) for i = j and for every edge j → i. A sender need only know whom it sends to.

        Args:
            graph: a graph over 0..N-1, directed or not.

        Returns:
            The (N, N) matrix of push-sum.

        Example:
            >>> from holdfast.topologies import Exponential
            >>> Exponential().column_weights(nx.DiGraph([(0, 1), (0, 2), (1, 2)])).toarray().round(2).tolist()
            [[0.33, 0.0, 0.0], [0.33, 0.5, 0.0], [0.33, 0.5, 1.0]]

        Source: Kempe, Dobra & Gehrke, "Gossip-based computation of aggregate information", 2003; Assran et al.,
        "Stochastic Gradient Push for distributed deep learning", 2019.
        """
        size = graph.number_of_nodes()
        receivers, senders = links(graph)
        share = 1.0 / (1.0 + np.bincount(senders, minlength=size).astype(np.float64))
        # What a sender gives away leaves its own share, so the columns are those of a transposed mixing matrix.
        return sparse.csr_array(completed(senders, receivers, share[senders], size).T)


class Undirected(Topology):
    """A graph whose links carry messages both ways, with the usual choices of weights.

    For two neighbours of degrees d_i and d_j, and d the largest degree of the graph:

    - ``metropolis``: W_ij = 1 / (1 + max(d_i, d_j))
    - ``lazy``: (I + W) / 2 of the Metropolis weights, with no negative eigenvalue
    - ``max_degree``: W_ij = 1 / (1 + d)
    - ``uniform``: W_ij = 1 / (1 + d_i), the mean over the neighbourhood. Only its rows sum to 1 unless all degrees are
      equal: what nodes agree on is then the mean weighted by 1 + d_i.

    Example:
        >>> from holdfast.topologies import Star
        >>> Star(weighting="uniform").weights(nx.star_graph(2)).toarray().round(2).tolist()
        [[0.33, 0.33, 0.33], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]

    Source: Xiao & Boyd, "Fast linear iterations for distributed averaging", 2004.
    """

    weighting: Weighting = Field(
        "metropolis", description="how much neighbours count: metropolis, lazy, max_degree or uniform"
    )

    def weights(self, graph: nx.Graph) -> sparse.csr_array:
        """The (N, N) mixing matrix by the chosen weighting."""
        return mixing(graph, self.weighting)


class Weighted(Topology):
    """A graph whose edges carry weights that belong to it, each as the attribute ``weight``.

    Example:
        >>> from holdfast.topologies import OnePeerExponential
        >>> one_way = nx.DiGraph([(0, 1, {"weight": 0.5})])
        >>> OnePeerExponential().weights(one_way).toarray().tolist()
        [[1.0, 0.0], [0.5, 0.5]]
    """

    def weights(self, graph: nx.Graph) -> sparse.csr_array:
        """The (N, N) weights that the edges carry; what a row lacks to 1 is the node's own."""
        return carried(graph)
