"""Rounds around a coordinator: whom it asks, whom it reaches, what comes back, and the merge."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from holdfast.algorithms import ServerAlgorithm
from holdfast.checkpoint import below, grouped
from holdfast.message import header_bytes
from holdfast.packet import Packet
from holdfast.parts import ServerSide
from holdfast.prepare import Prepared
from holdfast.record.recorder import Recorder
from holdfast.round import merge_server, read, wanted
from holdfast.runtimes.pace import Pace, Work
from holdfast.runtimes.recovery import note_reports, recover
from holdfast.runtimes.rounds import Rounds
from holdfast.seeding import address
from holdfast.tell import Told, acknowledge, tell
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
        layout = run.parts.layout
        start = algorithm.start(run.parts.initial_D, layout) if isinstance(algorithm, ServerAlgorithm) else {}
        self.server = ServerSide(start)
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

    @property
    def waiting(self) -> bool:
        """Whether nodes that were asked in earlier rounds are still at work, elsewhere."""
        return False

    def play(self, round: int) -> None:
        """Plan → broadcast → the nodes' work → merge."""
        asked = self._asked(round)
        running = asked[self.weather.up(round, asked)]
        orders_K = self._plan(round, running)
        self._recover(round, running)
        told = self._reached(round, tell(self.run.parts, self.server, round, running, orders_K))
        work_K = self._work(round, told.nodes_K)
        said = Replies(told.nodes_K, work_K, [], told.nodes_K)
        if len(told.nodes_K) or self.waiting:
            said = self.work(round, work_K, told)
        samples_K = work_K * self._effort(told, said.packets)
        self._worked(round, told.nodes_K, samples_K)
        self._train_loss(round, said.nodes_K, said.losses_K)
        self._note_losses(said)
        arrived = self._upload(round, said.packets)
        self._notices(round, said.silent_K)
        if self.pace is not None:
            said, arrived = self._let_pass(round, self.pace, samples_K, told, said, arrived)
        self._merge(round, said.silent_K, arrived)
        answered = [packet.nodes_K for packet in arrived if packet.round == round]
        acknowledge(self.run.parts, self.server, told, np.concatenate([said.silent_K, *answered]))

    def _effort(self, told: Told, packets: Sequence[Packet]) -> FloatArray:
        """(K,) on how many samples nodes work in a round; where they alone know, as their rows say, and 0 without."""
        if self.run.experiment.partition.public:
            return self.run.effort(told.nodes_K, told.lost)
        effort_K, algorithm = np.zeros(len(told.nodes_K)), self.run.parts.algorithm
        for packet in packets if self._weighs_samples else ():
            weights_K = packet.weights_K.cpu().numpy()
            stated = np.isin(packet.nodes_K, told.nodes_K) & np.isfinite(weights_K) & (weights_K >= 1)
            sizes_M = weights_K[stated].astype(np.int64)
            effort_K[np.searchsorted(told.nodes_K, packet.nodes_K[stated])] = algorithm.effort(sizes_M)
        return effort_K

    @property
    def _weighs_samples(self) -> bool:
        """Whether the weight that a node states is the number of its samples."""
        algorithm = self.run.parts.algorithm
        assert isinstance(algorithm, ServerAlgorithm)
        return algorithm.counts and algorithm.weighting != "svd"

    def gone(self, round: int) -> IntArray:
        """The nodes that do not run when a round begins, sorted."""
        return self.run.everyone[~self.weather.up(round, self.run.everyone)]

    def _recover(self, round: int, running: IntArray) -> None:
        """Let others work on the samples of who is gone, and count what goes to them for that."""
        if self.run.parts.recovery.kind != "none":
            gone = np.setdiff1d(self.gone(round), running)
            self._count("bytes_down", *recover(self.run, self.server, round, gone, self.log))

    def _let_pass(
        self, round: int, pace: Pace, samples_K: FloatArray, told: Told, said: Replies, arrived: list[Packet]
    ) -> tuple[Replies, list[Packet]]:
        """Let the round's time pass: what comes of what nodes have said, and when the round does not wait for it."""
        nodes_K = told.nodes_K
        up_K = np.full(len(nodes_K), header_bytes(round, {}))
        for packet in said.packets:
            up_K[np.searchsorted(nodes_K, packet.nodes_K)] = packet.bytes_K + packet.header_bytes
        work = Work(nodes_K, samples_K, told.bytes_K + told.header_K, up_K)
        closed = pace.close(work, arrived, np.isin(nodes_K, said.silent_K))
        for kind, nodes in (("outpaced", closed.late_K), ("away", closed.away_K)):
            for node in nodes.tolist():
                self.log.event(round, kind, node)
        gone_K = np.concatenate([closed.late_K, closed.away_K])
        return replace(said, silent_K=np.setdiff1d(said.silent_K, gone_K)), self._young(round, closed.packets)

    def _plan(self, round: int, running: IntArray) -> FloatArray | None:
        """What the trigger's plan tells each node that runs, if it has one."""
        trigger, nodes = self.run.parts.trigger, self.run.experiment.nodes
        if not trigger.plans:
            return None
        if not len(self.losses_N):
            self.losses_N = np.full(nodes, np.nan)
        if trigger.surveys and bool(self.reports_NR.numel() == 0 or self.reports_NR.isnan().any()):
            self.reports_NR = self.survey(round)
        x_D = self.models()[0, : self.run.parts.layout.parameters]  # buffers may only count steps
        there_N = np.isin(self.run.everyone, running)
        news = News(self.run.experiment.rounds, x_D, self.reports_NR, self.losses_N, self.run.validation, there_N)
        self.server.plan, orders_N = trigger.plan(self.server.plan, round, news)
        return orders_N[running]

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
        if self.pace is not None:
            return self._draw(round, self.pace.idle(), self.pace.wanted)
        if experiment.asked == experiment.nodes:
            return self.run.everyone
        return self._draw(round, experiment.nodes, experiment.asked)

    def _draw(self, round: int, nodes: int | IntArray, count: int) -> IntArray:
        """So many of some nodes, or of all below a number, sorted; all of them if they are too few."""
        rng = np.random.default_rng(int(address(self.run.experiment.seed, "participation", round)))
        count = max(0, min(count, nodes if isinstance(nodes, int) else len(nodes)))
        return np.sort(rng.choice(nodes, count, replace=False, shuffle=False))

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
        arrived = self._without_reports(round, arrived + self._due(round))
        while parts.algorithm.asks and len(silent_K):
            asked = wanted(parts, self.server, read(parts, arrived, round, silent_K), round)
            if not len(asked):
                break
            silent_K = np.setdiff1d(silent_K, asked)
            answers = self.answer(round, asked)
            arrived = arrived + self._without_reports(round, self._upload(round, answers))
            if self.pace is not None:
                for packet in answers:
                    self.pace.wait(packet.nodes_K, packet.bytes_K + packet.header_bytes)
        merge_server(parts, self.server, read(parts, arrived, round, silent_K), round, self.log)

    def _without_reports(self, round: int, packets: Sequence[Packet]) -> list[Packet]:
        return note_reports(self.run, self.server, round, packets, self.log)

    def state(self) -> State:
        """Everything that the next round depends on, as named tensors."""
        server = self.server
        tensors = super().state() | {f"server/{k}": v for k, v in server.algorithm.items()}
        tensors |= {f"plan/{k}": v for k, v in server.plan.items()}
        for kind, states in (("rule", server.rules), ("downlink", server.downlink)):
            tensors |= {f"{kind}/{channel}/{k}": v for channel, state in states.items() for k, v in state.items()}
        tensors |= {f"holders/{channel}": torch.from_numpy(nodes) for channel, nodes in server.holders.items()}
        tensors |= {f"lost/{node}": torch.tensor(samples, dtype=torch.int64) for node, samples in server.lost.items()}
        about = {"reports": self.reports_NR, "losses": torch.from_numpy(self.losses_N), "reported": server.reported_Nn}
        return tensors | about

    def restore(self, tensors: State) -> None:
        """Go on from a state."""
        super().restore(tensors)
        at = {key: value.to(self.run.engine.device) for key, value in tensors.items()}
        holders = {channel: nodes.numpy().copy() for channel, nodes in below(tensors, "holders").items()}
        states = below(at, "server"), grouped(at, "rule"), grouped(at, "downlink"), below(at, "plan")
        lost = {int(node): tuple(samples.tolist()) for node, samples in below(tensors, "lost").items()}
        self.server = ServerSide(*states, holders, lost, tensors["reported"].clone())
        self.reports_NR, self.losses_N = tensors["reports"], tensors["losses"].numpy().copy()
