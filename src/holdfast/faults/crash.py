"""A node that stops, and perhaps returns."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from holdfast.faults.base import Fault
from holdfast.types import BoolArray, IntArray

__all__ = ["Crash"]


class Crash(Fault):
    """One node stops at a round, and returns at another or never.

    node is down in round t, counted from 1, where at_round ≤ t < back_at

    Raises:
        InputError: ``back_at`` is not after ``at_round``.

    Example:
        >>> import numpy as np
        >>> crash = Crash(node=1, at_round=2, back_at=4)
        >>> [crash.up(t, np.array([0, 1]), seed=1).tolist() for t in (1, 2, 3, 4)]
        [[True, True], [True, False], [True, False], [True, True]]
    """

    node: int = Field(0, ge=0, description="which node stops")
    at_round: int = Field(1, ge=1, description="the first round, from 1, in which the node is down")
    back_at: int | None = Field(None, description="the round, from 1, in which the node is back; none for never")

    @field_validator("back_at")
    @classmethod
    def _after_the_crash(cls, back_at: int | None, info: ValidationInfo) -> int | None:
        start = info.data.get("at_round")
        if back_at is not None and start is not None and back_at <= start:
            raise ValueError(f"be greater than at_round, {start}")
        return back_at

    def up(self, round: int, nodes_K: IntArray, seed: int) -> BoolArray:
        """(K,) whether each node runs in this round."""
        down = self.at_round <= round and (self.back_at is None or round < self.back_at)
        up_K: BoolArray = (nodes_K != self.node) | (not down)
        return up_K

    def last_node(self) -> int:
        """The node that stops."""
        return self.node
