"""All faults of an experiment together, in one round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.faults import Fault
from holdfast.types import SERVER, BoolArray, FloatArray, IntArray

__all__ = ["Weather"]


@dataclass(frozen=True)
class Weather:
    """What the faults make of nodes and links; a function of (seed, round, node) like each of them."""

    faults: Sequence[Fault]
    seed: int

    def up(self, round: int, nodes_K: IntArray) -> BoolArray:
        """(K,) who runs: nobody whom any fault has down."""
        up_K = np.ones(len(nodes_K), dtype=bool)
        for fault in self.faults:
            up_K &= fault.up(round, nodes_K, self.seed)
        return up_K

    def work(self, round: int, nodes_K: IntArray) -> FloatArray:
        """(K,) the share of the local work that gets done."""
        work_K = np.ones(len(nodes_K))
        for fault in self.faults:
            work_K *= fault.work(round, nodes_K, self.seed)
        return work_K

    def lateness(self, round: int, nodes_K: IntArray) -> IntArray:
        """(K,) by how many rounds messages come late: what the slowest fault says."""
        late_K = np.zeros(len(nodes_K), dtype=np.int64)
        for fault in self.faults:
            late_K = np.maximum(late_K, fault.lateness(round, nodes_K, self.seed))
        return late_K

    def delivers(self, round: int, senders_E: IntArray, receivers_E: IntArray) -> BoolArray:
        """(E,) what arrives: nothing that any fault loses."""
        arrives_E = np.ones(len(senders_E), dtype=bool)
        for fault in self.faults:
            arrives_E &= fault.delivers(round, senders_E, receivers_E, self.seed)
        return arrives_E

    def reaches(self, round: int, nodes_K: IntArray) -> BoolArray:
        """(K,) whom the coordinator's broadcast reaches."""
        return self.delivers(round, np.full_like(nodes_K, SERVER), nodes_K)

    def uploads(self, round: int, nodes_K: IntArray) -> BoolArray:
        """(K,) whose upload reaches the coordinator."""
        return self.delivers(round, nodes_K, np.full_like(nodes_K, SERVER))
