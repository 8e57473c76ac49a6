"""Messages that come late."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from holdfast.faults.base import Fault
from holdfast.seeding import uniform
from holdfast.types import IntArray

__all__ = ["Delay"]


class Delay(Fault):
    """What a node sends in a round comes some rounds late, with some probability.

    the messages of node i in round t arrive in round t + rounds where u(seed, i, t) < probability

    Two of these faults in one experiment share their numbers, so they strike the same nodes in the same
    rounds.

    Example:
        >>> Delay(probability=1, rounds=2, nodes=(1,)).lateness(5, np.array([0, 1]), seed=1)
        array([0, 2])
    """

    probability: float = Field(0.1, ge=0, le=1, description="the probability with which a node's round is late")
    rounds: int = Field(1, ge=1, description="how late, in rounds")
    nodes: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        None, description="which nodes may be late; none for all"
    )

    def lateness(self, round: int, nodes_K: IntArray, seed: int) -> IntArray:
        """(K,) by how many rounds what each node sends in this round comes late."""
        late_K = uniform(seed, "delay", nodes_K, round) < self.probability
        if self.nodes is not None:
            late_K &= np.isin(nodes_K, self.nodes)
        return np.where(late_K, self.rounds, 0).astype(np.int64)

    def last_node(self) -> int:
        """The greatest node named, or -1."""
        return max(self.nodes or (), default=-1)
