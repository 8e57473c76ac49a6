"""Rounds around a coordinator: whom it asks, whom it reaches, what comes back, and the merge."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from holdfast.algorithms import ServerAlgorithm
from holdfast.message import Message
from holdfast.packet import Packet
from holdfast.parts import ServerSide
from holdfast.prepare import Prepared
from holdfast.record.recorder import Recorder
from holdfast.round import merge_server, read
from holdfast.runtimes.rounds import Rounds, below, grouped
from holdfast.seeding import address
from holdfast.types import FloatArray, IntArray, State

__all__ = ["Replies", "StarRounds"]


@dataclass(frozen=True)
class Replies:
    """What came of the nodes that were asked to work.

    Args:
        nodes_K: who worked.
        losses_K: their training losses.
        packets: what those sent who spoke.
        silent_K: the nodes that worked and kept silent.
    """

    nodes_K: IntArray
    losses_K: FloatArray
    packets: Sequence[Packet]
    silent_K: IntArray


class StarRounds(Rounds):
    """The coordinator's side of every round; where the nodes work is left open: in this process, or far away."""

    def __init__(self, run: Prepared, log: Recorder) -> None:
        super().__init__(run, log)
        algorithm = run.parts.algorithm
        start = algorithm.start(run.parts.initial_D) if isinstance(algorithm, ServerAlgorithm) else {}
        self.server = ServerSide(start)

    @abstractmethod
    def work(self, round: int, nodes_K: IntArray, work_K: FloatArray, heard: Message) -> Replies:
        """Let nodes work on the broadcast, each the given share of it."""

    @abstractmethod
    def answer(self, round: int, nodes_K: IntArray) -> Sequence[Packet]:
        """What nodes say whom the coordinator asks although they kept silent."""

    def play(self, round: int) -> None:
        """Broadcast → the nodes' work → merge."""
        algorithm = self.run.parts.algorithm
        assert isinstance(algorithm, ServerAlgorithm)
        heard = algorithm.broadcast(self.server.algorithm)
        at_work = self._reached(round, heard)
        if not len(at_work):
            self._merge(round, at_work, [])
            return
        said = self.work(round, at_work, self._work(round, at_work), heard)
        self._train_loss(round, said.nodes_K, said.losses_K)
        self._merge(round, said.silent_K, self._upload(round, said.packets))

    def models(self) -> Tensor:
        """The model, (1, D)."""
        algorithm = self.run.parts.algorithm
        assert isinstance(algorithm, ServerAlgorithm)
        return algorithm.model(self.server.algorithm).unsqueeze(0)

    def _asked(self, round: int) -> IntArray:
        """The nodes asked in this round, sorted."""
        experiment = self.run.experiment
        if experiment.asked == experiment.nodes:
            return self.run.everyone
        rng = np.random.default_rng(int(address(experiment.seed, "participation", round)))
        return np.sort(rng.choice(experiment.nodes, experiment.asked, replace=False, shuffle=False))

    def _reached(self, round: int, heard: Message) -> IntArray:
        """Who runs, was asked and has heard the broadcast."""
        asked = self._asked(round)
        running = asked[self.weather.up(round, asked)]
        reached = self.weather.reaches(round, running)
        for node in running[~reached].tolist():
            self.log.event(round, "lost", node, direction="down")
        size = sum(x.numel() * x.element_size() for x in heard.channels.values())
        self._traffic(round, "down", running, np.ones_like(running), size, Packet.broadcast_header(heard, round))
        self.messages += len(running)
        return running[reached]

    def _upload(self, round: int, packets: Sequence[Packet]) -> list[Packet]:
        """What of these packets arrives now; what is late stays in transit."""
        arrived = []
        for packet in packets:
            self._sent(round, packet, np.ones(len(packet), dtype=np.int64))
            there = self.weather.uploads(round, packet.nodes_K)
            for node in packet.nodes_K[~there].tolist():
                self.log.event(round, "lost", node, direction="up")
            arrived += self._in_time(round, packet, there)
        return arrived

    def _merge(self, round: int, silent_K: IntArray, arrived: list[Packet]) -> None:
        """Let the coordinator ask the silent until it wants to hear nobody more or nobody is left, then merge."""
        algorithm, parts = self.run.parts.algorithm, self.run.parts
        assert isinstance(algorithm, ServerAlgorithm)
        arrived = arrived + self._due(round)
        while len(silent_K):
            wanted = np.intersect1d(algorithm.ask(self.server.algorithm, read(parts, arrived, round)), silent_K)
            if not len(wanted):
                break
            silent_K = np.setdiff1d(silent_K, wanted)
            arrived = arrived + self._upload(round, self.answer(round, wanted))
        merge_server(parts, self.server, arrived, round, self.log)

    def state(self) -> State:
        """Everything that the next round depends on, as named tensors."""
        tensors = super().state() | {f"server/{k}": v for k, v in self.server.algorithm.items()}
        return tensors | {f"rule/{c}/{k}": v for c, state in self.server.rules.items() for k, v in state.items()}

    def restore(self, tensors: State) -> None:
        """Go on from a state."""
        super().restore(tensors)
        at = {key: value.to(self.run.engine.device) for key, value in tensors.items()}
        self.server = ServerSide(below(at, "server"), grouped(at, "rule"))
