"""The torus."""

from __future__ import annotations

from typing import ClassVar

from holdfast.topologies.grid import Grid

__all__ = ["Torus"]


class Torus(Grid):
    """A torus: a grid in which the first and the last node of each row and of each column are linked too.

    From three rows and columns on, every node has four neighbours. A prime number of nodes gives a cycle.

    Raises:
        InputError: the nodes do not fill that many rows.

    Example:
        >>> sorted(Torus().graph(0, 9, 1).neighbors(0))
        [1, 2, 3, 6]
    """

    wraps: ClassVar[bool] = True
