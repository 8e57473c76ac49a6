"""Graphs from arrays of links, and mixing matrices from graphs."""

from __future__ import annotations

from itertools import chain
from typing import Literal

import networkx as nx
import numpy as np
from scipy import sparse

from holdfast.types import FloatArray, IntArray

__all__ = ["Weighting", "carried", "circulant", "completed", "linked", "links", "mixing", "place"]

Weighting = Literal["metropolis", "lazy", "max_degree", "uniform"]


def linked(nodes: int, links_E2: IntArray, weights_E: FloatArray | None = None, directed: bool = False) -> nx.Graph:
    """The graph over 0..nodes-1 with these links, and with their weights if they have some.

    Example:
        >>> sorted(linked(3, np.array([[0, 1], [1, 2]]), np.array([0.5, 0.25])).edges(data="weight"))
        [(0, 1, 0.5), (1, 2, 0.25)]
    """
    graph = nx.empty_graph(nodes, create_using=nx.DiGraph if directed else nx.Graph)
    first, second = links_E2[:, 0].tolist(), links_E2[:, 1].tolist()
    if weights_E is None:
        graph.add_edges_from(zip(first, second, strict=True))
    else:
        graph.add_weighted_edges_from(zip(first, second, weights_E.tolist(), strict=True))
    return graph


def circulant(nodes: int, hops: IntArray, weights: FloatArray, directed: bool = True) -> nx.Graph:
    """The graph in which each node i sends to i + h modulo the nodes, for every hop h and with its weight.

    Weights of equal links add up. Undirected, half of each weight goes to i + h and half to i - h.

    Example:
        >>> sorted(circulant(3, np.array([1, 1]), np.array([0.25, 0.5])).edges(data="weight"))
        [(0, 1, 0.75), (1, 2, 0.75), (2, 0, 0.75)]
    """
    if not directed:
        hops, weights = np.concatenate([hops, nodes - hops]), np.tile(weights / 2, 2)
    hops, at = np.unique(hops, return_inverse=True)
    sums = np.bincount(at, weights, minlength=len(hops)).astype(np.float64)
    senders = np.repeat(np.arange(nodes), len(hops))
    receivers = (senders + np.tile(hops, nodes)) % nodes
    # An undirected link is met from both of its ends, each time with the same weight.
    return linked(nodes, np.stack([senders, receivers], axis=1), np.tile(sums, nodes), directed)


def place(graph: nx.Graph, pos_N2: FloatArray) -> nx.Graph:
    """The graph, its nodes put at those places."""
    nx.set_node_attributes(graph, dict(enumerate(map(tuple, pos_N2.tolist()))), "pos")
    return graph


def links(graph: nx.Graph) -> tuple[IntArray, IntArray]:
    """(E,) the receiver and (E,) the sender of every directed link; an undirected edge is two."""
    edges = np.fromiter(chain.from_iterable(graph.edges), dtype=np.int64).reshape(-1, 2)
    both = edges[:, ::-1] if graph.is_directed() else np.concatenate([edges[:, ::-1], edges])
    return both[:, 0], both[:, 1]


def completed(rows: IntArray, columns: IntArray, values: FloatArray, size: int) -> sparse.csr_array:
    """The (size, size) matrix with these values off the diagonal, and on it what the rows lack to 1."""
    W = sparse.csr_array((values, (rows, columns)), shape=(size, size))
    return sparse.csr_array(W + sparse.diags_array(1.0 - np.asarray(W.sum(axis=1)).ravel()))


def mixing(graph: nx.Graph, weighting: Weighting) -> sparse.csr_array:
    """The (N, N) mixing matrix of a graph by a weighting, see `holdfast.topologies.base.Undirected`."""
    size = graph.number_of_nodes()
    receivers, senders = links(graph)
    degrees = np.bincount(receivers, minlength=size)
    larger = {
        "uniform": degrees[receivers],
        "max_degree": np.full(len(receivers), degrees.max()),
    }.get(weighting, np.maximum(degrees[receivers], degrees[senders]))
    values = (0.5 if weighting == "lazy" else 1.0) / (1.0 + larger)
    return completed(receivers, senders, values, size)


def carried(graph: nx.Graph) -> sparse.csr_array:
    """The (N, N) mixing matrix of the weights that the edges carry."""
    receivers, senders = links(graph)
    weights = np.array([weight for _, _, weight in graph.edges(data="weight")], dtype=np.float64)
    values = weights if graph.is_directed() else np.tile(weights, 2)
    return completed(receivers, senders, values, graph.number_of_nodes())
