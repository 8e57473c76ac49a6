"""How well a graph connects: its spectral gap, its algebraic connectivity, and whether all hear of all."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

import networkx as nx
import numpy as np
from scipy import sparse
from scipy.linalg import eigh, eigvals
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import eigsh

from holdfast.seeding import uniform
from holdfast.topologies.base import Topology
from holdfast.topologies.mixing import links

__all__ = ["algebraic_connectivity", "connected", "fiedler", "spectral_gap", "union"]

_SMALL = 300
"""Up to how many nodes a dense eigensolver is the faster one."""


def connected(graph: nx.Graph) -> bool:
    """Whether what a node sends reaches every other in the end: along the edges where they are directed.

    Example:
        >>> connected(nx.DiGraph([(0, 1), (1, 2)])), connected(nx.DiGraph([(0, 1), (1, 0)]))
        (False, True)
    """
    return bool(nx.is_strongly_connected(graph) if graph.is_directed() else nx.is_connected(graph))


def union(topology: Topology, rounds: Iterable[int], nodes: int, seed: int) -> nx.Graph:
    """The graph of all links that some round has.

    Example:
        >>> from holdfast.topologies import OnePeerExponential
        >>> connected(union(OnePeerExponential(), range(1, 4), nodes=8, seed=1))
        True
    """
    return nx.compose_all([topology.graph(round, nodes, seed) for round in rounds])


def spectral_gap(W: sparse.csr_array) -> float:
    r"""How much closer a mixing brings the nodes to each other: 1 less the second largest modulus of an eigenvalue.

    1 - max {|λ| : λ an eigenvalue of W but for the first, which is 1}

    Where W is normal, as all symmetric and all circulant matrices are, disagreement falls by at least that share in
    every mixing; otherwise in the long run. The gap is 0 where some node never hears of another.

    Args:
        W: (N, N) mixing matrix whose rows sum to 1.

    Returns:
        A share in 0..1; 1 is agreement at once.

    Example:
        >>> from holdfast.topologies import Cycle
        >>> round(spectral_gap(Cycle().weights(nx.cycle_graph(16))), 3)
        0.051

    Source: Xiao & Boyd, "Fast linear iterations for distributed averaging", 2004.
    """
    if W.shape[0] == 1:
        return 1.0
    if connected_components(W, directed=True, connection="strong")[0] > 1:
        return 0.0
    M = W.toarray() if _dense(W) else W
    gram = M.T @ M
    if abs(gram - M @ M.T).max() > 1e-12:  # not normal
        return float(1 - np.sort(np.abs(eigvals(W.toarray())))[-2])
    second = _second(sparse.csr_array(sparse.eye_array(W.shape[0]) - gram))  # 1 - |λ|² of the second eigenvalue
    return 1 - sqrt(max(0.0, 1 - second))


def algebraic_connectivity(graph: nx.Graph) -> float:
    """The Fiedler value: the second smallest eigenvalue of the graph's Laplacian, 0 if it falls into parts.

    It lies between 0 and the number of nodes, which the complete graph alone reaches. Directions are ignored.

    Example:
        >>> round(algebraic_connectivity(nx.cycle_graph(10)), 2)
        0.38

    Source: Fiedler, "Algebraic connectivity of graphs", 1973.
    """
    rows, columns = links(graph)
    A = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(graph), len(graph)))
    return fiedler(A.maximum(A.T))


def fiedler(adjacency_NN: sparse.csr_array) -> float:
    """The algebraic connectivity of a symmetric adjacency matrix."""
    if connected_components(adjacency_NN, directed=False)[0] > 1:
        return 0.0
    degrees = sparse.diags_array(np.asarray(adjacency_NN.sum(axis=1)).ravel())
    return _second(degrees - adjacency_NN)


def _dense(M: sparse.csr_array) -> bool:
    """Whether a matrix is so small or so full that dense algebra is the faster one."""
    return bool(M.shape[0] <= _SMALL or M.nnz > M.shape[0] ** 2 / 20)


def _second(M: sparse.csr_array) -> float:
    """The second smallest eigenvalue of a positive semi-definite matrix; 0 if it has but one."""
    size = M.shape[0]
    if size == 1:
        return 0.0
    if _dense(M):
        return float(eigh(M.toarray(), eigvals_only=True, subset_by_index=[1, 1])[0])
    # The eigenvalues nearest to a number just below 0 are the smallest; a fixed start makes the result repeatable.
    start = uniform(0, "topology.spectrum", np.arange(size))
    return float(eigsh(sparse.csc_array(M), k=2, sigma=-1e-6, v0=start, return_eigenvectors=False).max())
