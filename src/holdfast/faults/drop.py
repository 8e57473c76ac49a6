"""Links that lose messages."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from holdfast.faults.base import Fault
from holdfast.seeding import uniform
from holdfast.types import SERVER, BoolArray, IntArray

__all__ = ["Drop"]


class Drop(Fault):
    """Each message is lost with some probability, on each directed link and in each round independently.

    message i → j of round t is lost where u(seed, i, j, t) < probability

    ``up`` strikes messages to the coordinator, ``down`` those from it; messages between peers are struck
    whatever the direction. Two of these faults are independent where their directions differ; two of one
    direction share their numbers, so the more probable one alone decides (and what is lost at 0.1 is also
    lost at 0.2).

    Example:
        >>> import numpy as np
        >>> senders_E, receivers_E = np.arange(1000), np.full(1000, SERVER)
        >>> arrived_E = Drop(probability=0.3, direction="up").delivers(5, senders_E, receivers_E, seed=1)
        >>> bool(650 < arrived_E.sum() < 750)
        True
        >>> bool(Drop(probability=1, direction="up").delivers(5, receivers_E, senders_E, seed=1).all())
        True
    """

    probability: float = Field(0.1, ge=0, le=1, description="the probability with which a message is lost")
    direction: Literal["up", "down", "both"] = Field(
        "both", description="which messages of a coordinator are struck: to it (up), from it (down) or both"
    )

    def delivers(self, round: int, senders_E: IntArray, receivers_E: IntArray, seed: int) -> BoolArray:
        """(E,) whether each message arrives."""
        u_E = uniform(seed, f"drop {self.direction}", senders_E, receivers_E, round)
        spared_E = {"up": senders_E == SERVER, "down": receivers_E == SERVER}.get(self.direction, False)
        arrives_E: BoolArray = (u_E >= self.probability) | spared_E
        return arrives_E
