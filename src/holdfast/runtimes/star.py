"""Rounds around a coordinator: whom it asks, whom it reaches, what comes back, and the merge."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from holdfast.algorithms import ServerAlgorithm
from holdfast.message import header_bytes
from holdfast.packet import Packet
from holdfast.parts import ServerSide
from holdfast.prepare import Prepared
from holdfast.record.recorder import Recorder
from holdfast.round import merge_server, read, wanted
from holdfast.runtimes.rounds import Rounds, below, grouped
from holdfast.seeding import address
from holdfast.tell import Told, tell
from holdfast.triggers.base import News
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
        star = isinstance(algorithm, ServerAlgorithm)
        self.server = ServerSide(algorithm.start(run.parts.initial_D, run.parts.layout) if star else {})
        self.reports_NR, self.losses_N = torch.empty(0), np.zeros(0)

    @abstractmethod
    def work(self, round: int, work_K: FloatArray, told: Told) -> Replies:
        """Let the nodes that were told work on it, each the given share."""

    @abstractmethod
    def survey(self, round: int) -> Tensor:
        """(N, R) what each node answers to the trigger's survey; NaN where there is no answer."""

    @abstractmethod
    def answer(self, round: int, nodes_K: IntArray) -> Sequence[Packet]:
        """What nodes say whom the coordinator asks although they kept silent."""

    def play(self, round: int) -> None:
        """Plan → broadcast → the nodes' work → merge."""
        orders_N = self._plan(round)
        asked = self._asked(round)
        running = asked[self.weather.up(round, asked)]
        orders_K = None if orders_N is None else orders_N[running]
        told = self._reached(round, tell(self.run.parts, self.server, round, running, orders_K))
        if not len(told.nodes_K):
            self._merge(round, told.nodes_K, [])
            return
        said = self.work(round, self._work(round, told.nodes_K), told)
        self._train_loss(round, said.nodes_K, said.losses_K)
        self._note_losses(said)
        arrived = self._upload(round, said.packets)
        self._notices(round, said.silent_K)
        self._merge(round, said.silent_K, arrived)
        answered = [packet.nodes_K for packet in arrived if packet.round == round]
        self.server.holders = np.unique(np.concatenate([said.silent_K, *answered]))

    def _plan(self, round: int) -> FloatArray | None:
        """What the trigger's plan tells each node, if it has one."""
        trigger, nodes = self.run.parts.trigger, self.run.experiment.nodes
        if not trigger.plans:
            return None
        if not len(self.losses_N):
            self.losses_N = np.full(nodes, np.nan)
        if trigger.surveys and bool(self.reports_NR.numel() == 0 or self.reports_NR.isnan().any()):
            self.reports_NR = self.survey(round)
        x_D = self.models()[0]
        news = News(self.run.experiment.rounds, x_D, self.reports_NR, self.losses_N, self.run.validation)
        self.server.plan, orders_N = trigger.plan(self.server.plan, round, news)
        return orders_N

    def _note_losses(self, said: Replies) -> None:
        if len(self.losses_N):
            self.losses_N[said.nodes_K] = said.losses_K

    def _notices(self, round: int, silent_K: IntArray) -> None:
        """Count what nodes send to say that they say nothing."""
        self._count("header_bytes_up", silent_K, np.full_like(silent_K, header_bytes(round, {})))

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

    def _reached(self, round: int, told: Told) -> Told:
        """What those are told whom the broadcast reaches."""
        reached = self.weather.reaches(round, told.nodes_K)
        for node in told.nodes_K[~reached].tolist():
            self.log.event(round, "lost", node, direction="down")
        self._traffic("down", told.nodes_K, told.bytes_K, told.header_K)
        self.messages += len(told.nodes_K)
        return told.rows(told.nodes_K[reached])

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
        parts = self.run.parts
        assert isinstance(parts.algorithm, ServerAlgorithm)
        arrived = arrived + self._due(round)
        while parts.algorithm.asks and len(silent_K):
            asked = wanted(parts, self.server, read(parts, arrived, round, silent_K), round)
            if not len(asked):
                break
            silent_K = np.setdiff1d(silent_K, asked)
            arrived = arrived + self._upload(round, self.answer(round, asked))
        merge_server(parts, self.server, read(parts, arrived, round, silent_K), round, self.log)

    def state(self) -> State:
        """Everything that the next round depends on, as named tensors."""
        server = self.server
        tensors = super().state() | {f"server/{k}": v for k, v in server.algorithm.items()}
        tensors |= {f"plan/{k}": v for k, v in server.plan.items()}
        for kind, states in (("rule", server.rules), ("downlink", server.downlink)):
            tensors |= {f"{kind}/{channel}/{k}": v for channel, state in states.items() for k, v in state.items()}
        if server.holders is not None:
            tensors["holders"] = torch.from_numpy(server.holders)
        return tensors | {"reports": self.reports_NR, "losses": torch.from_numpy(self.losses_N)}

    def restore(self, tensors: State) -> None:
        """Go on from a state."""
        super().restore(tensors)
        at = {key: value.to(self.run.engine.device) for key, value in tensors.items()}
        holders = tensors["holders"].numpy() if "holders" in tensors else None
        states = below(at, "server"), grouped(at, "rule"), grouped(at, "downlink"), below(at, "plan")
        self.server = ServerSide(*states, holders)
        self.reports_NR, self.losses_N = tensors["reports"], tensors["losses"].numpy().copy()
