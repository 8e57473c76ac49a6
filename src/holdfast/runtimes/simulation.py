"""All nodes in this process: a round costs what its arithmetic costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from holdfast.message import header_bytes
from holdfast.packet import Packet
from holdfast.parts import Spoken
from holdfast.round import answer, speak
from holdfast.runtimes.measure import judge_nodes, record_nodes
from holdfast.runtimes.peers import PeerRounds, losses
from holdfast.runtimes.star import Replies, StarRounds
from holdfast.tell import Told
from holdfast.types import FloatArray, IntArray

__all__ = ["Simulation"]


class Simulation(StarRounds, PeerRounds):
    """One variant of an experiment, all of its nodes in this process.

    Args:
        run: the prepared variant.
        log: where events and metrics go.
    """

    _silent: Sequence[Spoken] = ()

    def play(self, round: int) -> None:
        """What happens in a round."""
        (PeerRounds if self.run.peers else StarRounds).play(self, round)

    def models(self) -> Tensor:
        """The model, (1, D), or every peer's, (N, D)."""
        return (PeerRounds if self.run.peers else StarRounds).models(self)

    def measure(self, round: int, last: bool = False) -> dict[str, float]:
        """Evaluate, and at the end also what the models do for each node of a coordinator."""
        whole = super().measure(round, last)
        if last and not self.run.peers:
            found = judge_nodes(self.run, self.nodes, self.run.everyone, self.models()[0], round)
            by_node = {name: dict(enumerate(values.tolist())) for name, values in found.items()}
            whole |= record_nodes(self.run, by_node, round, self.log)
        return whole

    def work(self, round: int, work_K: FloatArray, told: Told) -> Replies:
        """Let the nodes that were told work on it, each the given share."""
        cohort = self.run.cohort(told.nodes_K, round, work_K, told.lost)
        said, packets = speak(self.run.parts, self.nodes, self.hosts(cohort), told)
        self._silent = [spoken.silent() for spoken in said]
        return Replies(told.nodes_K, losses(said), packets, np.sort(_nodes(self._silent)))

    def survey(self, round: int) -> Tensor:
        """(N, R) what each node answers to the trigger's survey."""
        reports_NR = self.run.survey(self.run.everyone)
        sizes_N = np.full(len(reports_NR), reports_NR.shape[1] * reports_NR.element_size())
        self._traffic("up", self.run.everyone, sizes_N, np.full_like(sizes_N, header_bytes(round, {})))
        return reports_NR

    def answer(self, round: int, nodes_K: IntArray) -> Sequence[Packet]:
        """What nodes say whom the coordinator asks although they kept silent."""
        at_K = [np.isin(spoken.cohort.nodes_K, nodes_K) for spoken in self._silent]
        return answer(
            self.run.parts, self.nodes, [s.rows(np.flatnonzero(k)) for s, k in zip(self._silent, at_K, strict=True)]
        )

    def exchange(self, round: int, packets: Sequence[Packet]) -> Sequence[Packet]:
        """Everyone is here."""
        return packets


def _nodes(said: Sequence[Spoken]) -> IntArray:
    return np.concatenate([spoken.cohort.nodes_K for spoken in said])
