"""The grid."""

from __future__ import annotations

from math import isqrt
from typing import ClassVar

import networkx as nx
import numpy as np
from pydantic import Field

from holdfast.errors import InputError
from holdfast.topologies.base import Undirected
from holdfast.topologies.mixing import place

__all__ = ["Grid"]


class Grid(Undirected):
    """A grid: the nodes stand in rows and columns, row by row, each linked to those beside, above and below it.

    Node i is at row ⌊i / columns⌋ and column i mod columns. Left out, the rows are as many as make the grid as square
    as the number of nodes allows; a prime number allows but one row, which is a path.

    Raises:
        InputError: the nodes do not fill that many rows.

    Example:
        >>> sorted(Grid().graph(0, 6, 1).edges)
        [(0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (4, 5)]
        >>> Grid(rows=4).graph(0, 6, 1)
        Traceback (most recent call last):
        holdfast.errors.InputError: topology.rows must divide the number of nodes, 6, but 4 was given. Leave rows out, \
or use a number of nodes that is a multiple of it.
    """

    wraps: ClassVar[bool] = False
    """Whether the ends of each row and of each column are linked."""

    rows: int | None = Field(
        None, ge=1, description="how many rows of nodes; left out, the largest divisor up to the square root of nodes"
    )

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The grid, the same in every round, its nodes at their places."""
        rows = self.rows or max(d for d in range(1, isqrt(nodes) + 1) if nodes % d == 0)
        if nodes % rows:
            remedy = "Leave rows out, or use a number of nodes that is a multiple of it."
            raise InputError("topology.rows", f"divide the number of nodes, {nodes}", rows, remedy)
        graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, nodes // rows, periodic=self.wraps))
        if self.wraps:
            return graph  # where links pass behind others, places in rows would hide them
        row, column = np.divmod(np.arange(nodes), nodes // rows)
        return place(graph, np.stack([column, row], axis=1) / max(1, rows - 1, nodes // rows - 1))
