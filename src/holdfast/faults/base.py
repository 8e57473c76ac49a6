"""The contract of faults."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from holdfast.component import Component
from holdfast.types import BoolArray, FloatArray, IntArray

__all__ = ["Fault"]


class Fault(Component):
    """What goes wrong with which node or link in which round.

    A fault is a pure function of (seed, round, node), so the same pattern strikes a simulation and real processes,
    and every process can tell its own part of it. A fault overrides what it touches; nothing goes wrong by default.
    """

    family: ClassVar[str] = "faults"

    def up(self, round: int, nodes_K: IntArray, seed: int) -> BoolArray:
        """(K,) whether each node runs in this round."""
        return np.ones(len(nodes_K), dtype=bool)

    def work(self, round: int, nodes_K: IntArray, seed: int) -> FloatArray:
        """(K,) the share of its local work that each node has done at the round's deadline, in (0, 1]."""
        return np.ones(len(nodes_K))

    def lateness(self, round: int, nodes_K: IntArray, seed: int) -> IntArray:
        """(K,) by how many rounds what each node sends in this round comes late."""
        return np.zeros(len(nodes_K), dtype=np.int64)

    def delivers(self, round: int, senders_E: IntArray, receivers_E: IntArray, seed: int) -> BoolArray:
        """(E,) whether each message from a sender to a receiver arrives; the coordinator is `SERVER`."""
        return np.ones(len(senders_E), dtype=bool)

    def last_node(self) -> int:
        """The greatest node that the fault names, or -1: it must exist."""
        return -1
