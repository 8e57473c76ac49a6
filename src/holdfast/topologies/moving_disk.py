"""The disk graph of robots that move."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import networkx as nx
import numpy as np
from pydantic import Field, PrivateAttr

from holdfast.errors import InputError
from holdfast.seeding import uniform
from holdfast.topologies.base import Topology, Undirected
from holdfast.topologies.disk import within
from holdfast.types import FloatArray

__all__ = ["MovingDisk"]


class MovingDisk(Undirected):
    """Robots that drive through the unit square, linked in each round where they are at most a radius apart.

    Where the problem has robots, as online_density has, they are the nodes, and the unit square is their map with its
    longer side as the unit. Otherwise each robot starts at a random place and drives straight to a random way point,
    from there to the next, and so on, always at the same speed. In some rounds the graph may fall into parts.

    Raises:
        InputError: the problem has another number of robots than there are nodes.

    Example:
        >>> robots = MovingDisk(speed=0.1)
        >>> before, after = robots.places(4, nodes=1, seed=1), robots.places(5, nodes=1, seed=1)
        >>> float(np.linalg.norm(after - before).round(3)) <= 0.1
        True

    Source: random way points as in Johnson & Maltz, "Dynamic source routing in ad hoc wireless networks", 1996.
    """

    changes: ClassVar[bool] = True

    radius: float = Field(0.5, gt=0, description="how far a link reaches, in sides of the unit square")
    speed: float = Field(
        0.05, ge=0, description="how far a robot drives, in sides a round; those of a problem have their own speed"
    )
    _places: Callable[[int], FloatArray] | None = PrivateAttr(None)

    def placed(self, places: Callable[[int], FloatArray]) -> Topology:
        """The graph of the problem's robots."""
        disk = self.model_copy()
        disk._places = places
        return disk

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        """The graph of the robots at their places in the round."""
        pos_N2 = self.places(round, nodes, seed) if self._places is None else self._places(round)
        if len(pos_N2) != nodes:
            required = f"be the number of robots of the problem, {len(pos_N2)}, whom moving_disk follows"
            raise InputError("nodes", required, nodes, "Change nodes, or the problem's robots.")
        return within(pos_N2, self.radius)

    def places(self, round: int, nodes: int, seed: int) -> FloatArray:
        """(N, 2) where the robots are in a round; in round 0 they start."""
        driven = self.speed * round
        stops_NL2, ends_NL = _routes(driven, nodes, seed)
        node, leg = np.arange(nodes), (ends_NL <= driven).sum(axis=1)
        start_N2, stop_N2 = stops_NL2[node, leg], stops_NL2[node, leg + 1]
        left_N = (ends_NL[node, leg] - driven) / np.linalg.norm(stop_N2 - start_N2, axis=1)
        places: FloatArray = stop_N2 + left_N[:, None] * (start_N2 - stop_N2)
        return places


def _routes(driven: float, nodes: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """(N, L + 1, 2) way points, and (N, L) how far it is to the end of each leg; enough legs to drive that far."""
    legs = 8 + int(2 * driven)  # the mean leg is 0.52 sides long
    while True:
        node, stop = np.arange(nodes)[:, None, None], np.arange(legs + 1)[:, None]
        stops_NL2 = uniform(seed, "topology.moving_disk", node, stop, np.arange(2))
        ends_NL: FloatArray = np.linalg.norm(np.diff(stops_NL2, axis=1), axis=2).cumsum(axis=1)
        if ends_NL[:, -1].min() > driven:
            return stops_NL2, ends_NL
        legs *= 2
