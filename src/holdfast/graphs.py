"""The graphs of a run among peers: whether they will do, how well they connect, and what is recorded of them."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
from scipy import sparse

from holdfast.aggregators import Aggregator
from holdfast.algorithms import PeerAlgorithm
from holdfast.errors import InputError
from holdfast.topologies import Topology
from holdfast.topologies.positions import positions
from holdfast.topologies.spectrum import algebraic_connectivity, connected, spectral_gap, union
from holdfast.types import FloatArray, IntArray

__all__ = ["check_graph", "pictured", "spectrum"]

LOOKED_AT = 100
"""How many rounds of a graph that changes are looked at, at least, before it counts as not connected."""
SPECTRUM_UP_TO = 1000
"""Up to how many nodes eigenvalues are computed."""
PICTURED_NODES = 100
PICTURED_EDGES = 5000
PICTURED_ROUNDS = 24
"""Of a graph that changes, the graphs of at most so many rounds are recorded, for a film."""


def check_graph(
    topology: Topology, algorithm: PeerAlgorithm, rule: Aggregator | None, nodes: int, seed: int, rounds: int
) -> None:
    """Whether the graph suits the algorithm, all hear of all in the end, and neighbourhoods are large enough.

    In a graph that changes, a node may find enough neighbours later, and until then its rounds are skipped; but that
    nobody has enough to begin with is a mistake.

    Args:
        topology: who talks to whom.
        algorithm: what asks for links that lead both ways, say, and may use but some of them.
        rule: what combines the rows of a neighbourhood; ``None`` if they are mixed by weights.
        nodes: how many nodes.
        seed: the experiment's seed.
        rounds: how many rounds are played.

    Raises:
        InputError: it does not, they do not, or a neighbourhood is too small for the rule.
    """
    graph, name = topology.graph(1, nodes, seed), topology.component_name()
    _check_stays(topology, algorithm)
    for round in range(1, (min(rounds, LOOKED_AT) if topology.changes and algorithm.needs else 1) + 1):
        _check_links(topology, algorithm, topology.weights(topology.graph(round, nodes, seed)))
    if not (_meet(topology, nodes, seed, rounds) if topology.changes else connected(graph)):
        remedy = "Use more edges, or another seed."
        raise InputError("topology", "be connected" + ", over all rounds" * topology.changes, name, remedy)
    if rule is not None:
        _check_degrees(topology, algorithm, rule, topology.weights(graph), seed)


def _check_stays(topology: Topology, algorithm: PeerAlgorithm) -> None:
    """Whether the graph stays the same where the algorithm needs that."""
    if algorithm.stays and topology.changes:
        required = f"stay the same in all rounds for {algorithm.component_name()}"
        raise InputError("topology", required, topology.component_name(), "Use cycle, say, or dsgd.")


def _check_links(topology: Topology, algorithm: PeerAlgorithm, W_NN: sparse.csr_array) -> None:
    """Whether the links of a round are such as the algorithm needs."""
    name, given = algorithm.component_name(), topology.component_name()
    one_way = ((W_NN != 0) != (W_NN != 0).T).nnz
    if algorithm.needs and one_way:
        remedy = "Use cycle, say, or push_sum, which is made for links that lead one way."
        raise InputError("topology", f"have links that lead both ways for {name}", given, remedy)
    if algorithm.needs == "equal weights" and abs(W_NN - W_NN.T).max() > 1e-9:
        required = f"weigh a link alike at both ends for {name}"
        given = f"{given} with weights that differ"
        raise InputError("topology.weighting", required, given, "Use metropolis, say.")


def _check_degrees(
    topology: Topology, algorithm: PeerAlgorithm, rule: Aggregator, W_NN: sparse.csr_array, seed: int
) -> None:
    """Whether neighbourhoods are large enough for the rule: all, or one where they differ from round to round."""
    degrees_N = _degrees(algorithm.links(W_NN, 1, seed))
    varies = topology.changes or degrees_N.sum() < _degrees(W_NN).sum()
    node = int(degrees_N.argmax() if varies else degrees_N.argmin())
    if degrees_N[node] + 1 < rule.least:
        name = algorithm.component_name()
        given = f"{topology.component_name()}, in which node {node} hears {degrees_N[node]} with {name}"
        remedy = "Use a denser graph, a smaller f, or leave aggregator out to mix by W."
        names = " and ".join(stage.component_name() for stage in rule.each())
        required = f"give every node at least {rule.least - 1} neighbours for {names}"
        raise InputError("topology", required, given, remedy)


def _degrees(W_NN: sparse.csr_array) -> IntArray:
    """(N,) how many others each node hears."""
    degrees_N: IntArray = (W_NN != 0).sum(axis=1) - (W_NN.diagonal() != 0)
    return degrees_N


def _meet(topology: Topology, nodes: int, seed: int, rounds: int) -> bool:
    """Whether the links of the rounds together connect the nodes; no more rounds are looked at than it takes."""
    doublings = (max(rounds, LOOKED_AT) - 1).bit_length() + 1
    return any(connected(union(topology, range(1, 2**k + 1), nodes, seed)) for k in range(doublings))


def spectrum(graph: nx.Graph, W: sparse.csr_array) -> dict[str, float]:
    """The spectral gap of the mixing matrix and the algebraic connectivity; nothing of too many nodes.

    Example:
        >>> from holdfast.topologies import Complete
        >>> graph = Complete().graph(1, 4, seed=1)
        >>> {name: round(value, 6) for name, value in spectrum(graph, Complete().weights(graph)).items()}
        {'spectral_gap': 1.0, 'algebraic_connectivity': 4.0}
    """
    if len(graph) > SPECTRUM_UP_TO:
        return {}
    return {"spectral_gap": spectral_gap(W), "algebraic_connectivity": algebraic_connectivity(graph)}


def pictured(topology: Topology, nodes: int, seed: int, rounds: int) -> dict[str, Any]:
    """What the record keeps of a graph: its size and spectrum, and for pictures its places and edges.

    Returns:
        ``topology``, ``nodes``, ``directed``, ``changes``; of a static graph its `spectrum`; and ``frames``, each with
        ``round``, ``edges``, and ``places``, (N, 2) in the unit square: one of a static graph, some of one that
        changes, none of too many nodes.
    """
    first, small = topology.graph(1, nodes, seed), nodes <= PICTURED_NODES
    numbers = {} if topology.changes else spectrum(first, topology.weights(first))
    chosen = np.unique(np.linspace(1, rounds, PICTURED_ROUNDS).astype(int)).tolist() if topology.changes else [1]
    layout = positions(union(topology, chosen, nodes, seed)) if small else None
    return {
        "topology": topology.component_name(),
        "nodes": nodes,
        "directed": first.is_directed(),
        "changes": topology.changes,
        **numbers,
        "frames": [_frame(topology, round, nodes, seed, layout) for round in chosen if layout is not None],
    }


def _frame(topology: Topology, round: int, nodes: int, seed: int, layout: FloatArray) -> dict[str, Any]:
    """A graph in a picture; nodes that have no places of their own stay where they are in all of them."""
    graph = topology.graph(round, nodes, seed)
    places = positions(graph) if nx.get_node_attributes(graph, "pos") else layout
    edges = [[int(a), int(b)] for a, b in graph.edges][:PICTURED_EDGES]
    return {"round": round, "edges": edges, "places": places.round(4).tolist()}
