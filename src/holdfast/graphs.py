"""The graphs of a run among peers: whether they will do, how well they connect, and what is recorded of them."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
from scipy import sparse

from holdfast.aggregators import Aggregator
from holdfast.errors import InputError
from holdfast.topologies import Topology
from holdfast.topologies.positions import positions
from holdfast.topologies.spectrum import algebraic_connectivity, connected, spectral_gap, union
from holdfast.types import FloatArray

__all__ = ["check_graph", "pictured", "spectrum"]

LOOKED_AT = 100
"""How many rounds of a graph that changes are looked at, at least, before it counts as not connected."""
SPECTRUM_UP_TO = 1000
"""Up to how many nodes eigenvalues are computed."""
PICTURED_NODES = 100
PICTURED_EDGES = 5000
PICTURED_ROUNDS = 24
"""Of a graph that changes, the graphs of at most so many rounds are recorded, for a film."""


def check_graph(topology: Topology, rule: Aggregator | None, nodes: int, seed: int, rounds: int) -> None:
    """Whether all hear of all in the end, and every neighbourhood is large enough for the rule.

    In a graph that changes, a node may find enough neighbours later, and until then its rounds are skipped; but that
    nobody has enough to begin with is a mistake.

    Args:
        topology: who talks to whom.
        rule: what combines the rows of a neighbourhood; ``None`` if they are mixed by weights.
        nodes: how many nodes.
        seed: the experiment's seed.
        rounds: how many rounds are played.

    Raises:
        InputError: the graph is not connected, or a neighbourhood is too small.
    """
    graph, name = topology.graph(1, nodes, seed), topology.component_name()
    if not (_meet(topology, nodes, seed, rounds) if topology.changes else connected(graph)):
        remedy = "Use more edges, or another seed."
        raise InputError("topology", "be connected" + ", over all rounds" * topology.changes, name, remedy)
    degrees = graph.in_degree if graph.is_directed() else graph.degree
    node, degree = (max if topology.changes else min)(degrees, key=lambda pair: pair[1])
    if rule is not None and degree + 1 < rule.least:
        given = f"{name}, in which node {node} has {degree} neighbours"
        remedy = "Use a denser graph, a smaller f, or leave aggregator out to mix by W."
        names = " and ".join(stage.component_name() for stage in rule.each())
        required = f"give every node at least {rule.least - 1} neighbours for {names}"
        raise InputError("topology", required, given, remedy)


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
