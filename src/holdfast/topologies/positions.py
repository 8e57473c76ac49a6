"""Where to draw the nodes of a graph."""

from __future__ import annotations

import networkx as nx
import numpy as np

from holdfast.types import FloatArray

__all__ = ["positions"]

_MOST_SPRINGS = 300
"""Up to how many nodes a spring layout takes but a moment."""


def positions(graph: nx.Graph) -> FloatArray:
    """(N, 2) the places of the nodes in the unit square: their own, or else a layout that is the same every time.

    A regular graph, such as a cycle or an exponential graph, is laid out as a circle, and so is a large one; any other
    as if its links were springs.

    Example:
        >>> positions(nx.complete_graph(4)).round(2).tolist()
        [[1.0, 0.5], [0.5, 1.0], [0.0, 0.5], [0.5, 0.0]]
    """
    nodes = range(graph.number_of_nodes())
    layout = nx.get_node_attributes(graph, "pos")
    if len(layout) < len(nodes):
        layout = _layout(graph)
    found: FloatArray = np.array([layout[node] for node in nodes], dtype=np.float64)
    return found


def _layout(graph: nx.Graph) -> dict[int, FloatArray]:
    middle = {"scale": 0.5, "center": (0.5, 0.5)}
    if len(graph) > _MOST_SPRINGS or len({degree for _, degree in graph.degree}) == 1:
        ring: dict[int, FloatArray] = nx.circular_layout(sorted(graph), **middle)
        return ring
    springs: dict[int, FloatArray] = nx.spring_layout(graph, seed=0, weight=None, **middle)
    return springs
