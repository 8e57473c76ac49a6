"""Rounds whose nodes work in other processes: the coordinator asks them, and waits no longer than it must."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from holdfast.algorithms import ServerAlgorithm
from holdfast.message import Message, header_bytes
from holdfast.packet import Packet
from holdfast.runtimes.measure import record_nodes
from holdfast.runtimes.network.crew import Member
from holdfast.runtimes.network.desk import Arrived, Expectation
from holdfast.runtimes.network.identity import COORDINATOR
from holdfast.runtimes.network.outgoing import Outgoing
from holdfast.runtimes.network.parcel import packet_of
from holdfast.runtimes.network.remote import TICK, Remote, broadcast_payloads, update_form
from holdfast.runtimes.network.seal import Seal
from holdfast.runtimes.network.wire import Again, Ask, Done, Ready, Report
from holdfast.runtimes.rounds import StoppedError
from holdfast.runtimes.star import Replies, StarRounds
from holdfast.tell import Told
from holdfast.types import FloatArray, IntArray

__all__ = ["RemoteStar"]


@dataclass
class _Wanted:
    """A node process of which an answer is wanted.

    Args:
        member: the process.
        nodes_K: its nodes that were asked.
        since: when they were.
    """

    member: Member
    nodes_K: IntArray
    since: float = math.inf

    def start(self) -> None:
        """Work begins."""
        self.since = time.monotonic()
        self.member.progress.start(self.since)


class RemoteStar(Remote, StarRounds):
    """The coordinator's rounds over nodes in other processes."""

    def set_up(self) -> None:
        """What is needed before the first round."""
        parts = self.run.parts
        self.forms, rule = {due: update_form(parts, due) for due in (False, True)}, parts.aggregator
        self.holes_allowed = rule is not None and rule.takes_missing
        self._told: Told | None = None
        self._parcels: dict[object, Outgoing] = {}
        self._stale: list[Packet] = []
        width = self.run.survey_width
        self._reports = torch.full((self.run.experiment.nodes if width else 0, width), torch.nan)
        self._surveyed: list[IntArray] = []
        self._answered_N = np.zeros(self.run.experiment.nodes, dtype=bool)
        self._first: int | None = None
        self._asks = (0, 0)
        self._at_work: dict[str, _Wanted] = {}
        self._buffer = parts.algorithm.awaits if isinstance(parts.algorithm, ServerAlgorithm) else None

    def ready(self, round: int) -> None:
        """Wait until enough nodes are there and prepared.

        Raises:
            StoppedError: the user stopped the run meanwhile.
        """
        if self._first is None:
            if round > 1:  # the processes may be new
                self._forget(self.run.everyone)
            self.office.begin(self.variant, round - 1)
            self._first = round
        self._gather(round)

    def step(self, round: int) -> None:
        """One round, from 1.

        Raises:
            StoppedError: the user stopped the run meanwhile.
        """
        before = self.state()
        try:
            super().step(round)
        except StoppedError:  # nothing of the round shall have happened
            self.restore(before)
            raise
        self.office.desk.forget(round + 1 - self.run.parts.algorithm.max_staleness)
        self.log_dropped(round)

    def _gather(self, round: int) -> None:
        """Wait until enough nodes are there."""
        wanted, said = self._least(round), False
        while self.present < wanted:
            if self.stopping.is_set():
                raise StoppedError("too few nodes")
            if not said and round != self._first:
                self.log.event(round, "paused", present=self.present, required=wanted)
            said = True
            self.status(f"round {round} waits for nodes: {self.note}, {wanted} needed")
            self._handle(self.office.next(TICK), round, {})

    def _least(self, round: int) -> int:
        if self.network.min_nodes is not None:
            return min(self.network.min_nodes, self.run.experiment.nodes)
        rule = self.run.parts.aggregator
        return self.run.experiment.nodes if round == self._first else max(1, rule.least if rule else 1)

    # ------------------------------------------------------------ a round

    def work(self, round: int, work_K: FloatArray, told: Told) -> Replies:
        """Send the broadcast to those who host the nodes, and gather what they answer."""
        wanted = self._wanted(round, told.nodes_K)
        self._told, self._parcels = told, {}
        for w in wanted.values():
            self._expect(w, "update", round)
            self._parcel_for(w).send(self.office.post, w.member.name, self._rate)
            w.start()
        arrived = self._collect(round, "update", self._at_work | wanted)
        packets = [packet_of(a.manifest, a.payloads) for a in arrived if a.manifest.nodes]
        self.transit += [(round, packet) for packet in self._stale]
        self._stale = []
        return _replies(arrived, packets)

    def _parcel_for(self, wanted: _Wanted) -> Outgoing:
        """The broadcast as it goes to one process: made once for all who are told the same."""
        assert self._told is not None
        told, seal = self._told.rows(wanted.nodes_K), self.office.seal(wanted.member)
        names = tuple(name for name, sent_K in told.sent.items() if sent_K.any())
        current = all(told.current[name].all() for name in names)
        alike = all(sent_K.all() for name, sent_K in told.sent.items() if name in names) and not len(told.orders_K)
        at = (names, current, () if alike else tuple(told.nodes_K.tolist()))
        if at not in self._parcels:
            nodes = self._told.nodes_K if alike else told.nodes_K
            self._parcels[at] = self._parcel(told, nodes, names, current, seal)
        return self._parcels[at].to(wanted.member.name, self.office.identity, seal)

    def _parcel(
        self, told: Told, nodes_K: IntArray, names: Sequence[str], current: bool, seal: Seal | None
    ) -> Outgoing:
        payloads = {name: (told.coded if current else told.whole)[name] for name in names}
        missing = {name: told.nodes_K[~told.sent[name]].tolist() for name in names if not told.sent[name].all()}
        more = {"orders": told.orders_K.tolist(), "missing": missing, "lost": dict(told.lost)}
        phase = "broadcast" if current else "whole"
        return self.office.parcel(phase, told.round, nodes_K.tolist(), payloads, seal, **more)

    @property
    def _rate(self) -> float:
        """Bytes a second over best-effort links."""
        return 1e6 * self.network.rate

    def answer(self, round: int, nodes_K: IntArray) -> Sequence[Packet]:
        """What nodes say whom the coordinator asks although they kept silent."""
        wanted, phase = self._wanted(round, nodes_K), self._next_phase(round)
        for w in wanted.values():
            self._expect(w, phase, round)
            name, about = w.member.name, {"run": self.office.run, "sender": COORDINATOR, "to": w.member.name}
            self.office.say(name, Ask(**about, phase=phase, round=round, nodes=w.nodes_K.tolist()))
            w.start()
        return [packet_of(a.manifest, a.payloads) for a in self._collect(round, phase, wanted) if a.manifest.nodes]

    def _next_phase(self, round: int) -> str:
        """A name for each time that the coordinator asks in a round: aaaa, aaab and so on."""
        self._asks = (round, self._asks[1] + 1) if self._asks[0] == round else (round, 0)
        letters = [chr(ord("a") + self._asks[1] // 26**place % 26) for place in (2, 1, 0)]
        return "a" + "".join(letters)

    def _asked(self, round: int) -> IntArray:
        """The nodes asked in this round that are there and not at work, sorted."""
        asked = super()._asked(round)
        if self._at_work:
            busy = np.concatenate([w.nodes_K for w in self._at_work.values()])
            asked = self._draw(round, np.setdiff1d(self.run.everyone, busy), self.run.experiment.asked - len(busy))
        there = [wanted.nodes_K for wanted in self._wanted(round, asked).values()]
        found: IntArray = np.sort(np.concatenate(there)) if there else asked[:0]
        for node in np.setdiff1d(asked, found).tolist():
            self.log.event(round, "absent", node)
        return found

    def gone(self, round: int) -> IntArray:
        """The nodes that do not run when a round begins, or whose process is not there, sorted."""
        absent = np.setdiff1d(self.run.everyone, self.office.crew.rows_present(self.office.run))
        return np.union1d(super().gone(round), absent)

    def _wanted(self, round: int, nodes_K: IntArray) -> dict[str, _Wanted]:
        """Who hosts these nodes, is there, and is not left out for having failed."""
        members = [m for m in self.office.crew.present(self.office.run) if m.suspension.over(round)]
        found = {m.name: self._wanted_of(m, nodes_K) for m in members}
        return {name: wanted for name, wanted in found.items() if len(wanted.nodes_K)}

    def _wanted_of(self, member: Member, nodes_K: IntArray) -> _Wanted:
        return _Wanted(member, np.intersect1d(member.rows_K, nodes_K))

    def _expect(self, wanted: _Wanted, phase: str, round: int) -> None:
        nodes = frozenset(wanted.nodes_K.tolist())
        seal, form = self.office.seal(wanted.member), self.forms[self.run.parts.recovery.tracks(round)]
        self.office.desk.expect(wanted.member.name, phase, round, Expectation(form, nodes, seal, self.holes_allowed))

    def _collect(self, round: int, phase: str, wanted: Mapping[str, _Wanted]) -> list[Arrived]:
        """What comes until all have answered or are given up, or a buffer is full.

        Raises:
            StoppedError: the user stopped the run, and the deadline is over.
        """
        left, arrived = dict(wanted), list[Arrived]()
        deadline = time.monotonic() + self.network.deadline
        while left and not self._buffer_is_full(arrived):
            found = self._handle(self.office.next(TICK), round, left)
            if found is not None and found.manifest.phase == phase and found.manifest.sender in left:
                arrived.append(found)
                left.pop(found.manifest.sender).member.suspension.served()
            now = time.monotonic()
            late = self._late(left, now) if self._buffer or self._is_quorum(arrived, wanted) else {}
            for name, why in (late | self._suspects(left, now)).items():
                self._give_up(round, left.pop(name), why)
            if left and self.stopping.is_set() and now > deadline:
                raise StoppedError("too few answers")
        self._at_work = left if phase == "update" else {}
        return sorted(arrived, key=lambda a: a.manifest.sender)

    @property
    def waiting(self) -> bool:
        """Whether nodes that were asked in earlier rounds are still at work."""
        return bool(self._at_work)

    def _buffer_is_full(self, arrived: Sequence[Arrived]) -> bool:
        """Whether an asynchronous algorithm has the updates that it waits for, of this round and of earlier ones."""
        come = sum(len(a.manifest.nodes) for a in arrived) + sum(map(len, self._stale))
        return self._buffer is not None and come >= self._buffer

    def _is_quorum(self, arrived: Sequence[Arrived], wanted: Mapping[str, _Wanted]) -> bool:
        """Whether enough of those that were asked have answered."""
        come = sum(len(wanted[a.manifest.sender].nodes_K) for a in arrived)
        return come >= self.network.quorum * sum(len(w.nodes_K) for w in wanted.values())

    def _late(self, left: Mapping[str, _Wanted], now: float) -> dict[str, str]:
        """Who was asked longer ago than the deadline."""
        return {name: "deadline" for name, w in left.items() if now > w.since + self.network.deadline}

    def _suspects(self, left: Mapping[str, _Wanted], now: float) -> dict[str, str]:
        gone = {name: "gone" for name, w in left.items() if not w.member.alive}
        stalled = {name: "stalled" for name, w in left.items() if w.member.progress.stalled(now)}
        return stalled | gone

    def _give_up(self, round: int, wanted: _Wanted, why: str) -> None:
        wanted.member.suspension.failed(round)
        for node in wanted.nodes_K.tolist():
            self.log.event(round, "suspected", node, process=wanted.member.name, why=why)

    def _handle(self, what: object, round: int, left: dict[str, _Wanted]) -> Arrived | None:
        """Do what an event asks for; a parcel of this round is handed back, one of an earlier round is kept."""
        if isinstance(what, Report):
            self._note_report(what)
        elif isinstance(what, Ready):
            self._welcome(what.sender, round, left)
        elif isinstance(what, Again) and self._told is not None and what.round == self._told.round:
            member = self.office.crew.members[what.sender]
            wanted = self._wanted_of(member, self._told.nodes_K)
            self._parcel_for(wanted).repeat(self.office.post, what.sender, what.chunks, self._rate)
        elif isinstance(what, Arrived) and what.holes:
            self.log.event(round, "holes", process=what.manifest.sender, chunks=what.holes)
        if not isinstance(what, Arrived):
            return None
        if what.manifest.round == round:
            return what
        if what.manifest.sender in self._at_work:
            left.pop(what.manifest.sender, None)
        if what.manifest.nodes:
            self._stale.append(packet_of(what.manifest, what.payloads))
        return None

    def _welcome(self, name: str, round: int, left: dict[str, _Wanted]) -> None:
        """A node is back in the middle of a round: it sends what it has, or works anew."""
        rows = self.office.crew.members[name].rows_K
        if round != self._first:
            self._forget(rows)
        if name in self._at_work:  # what it was at is lost; it is asked again in a later round
            left.pop(name, None)
        if name in left and self._told is not None:
            anew_K = np.isin(self._told.nodes_K, rows)
            current = {name: current_K & ~anew_K for name, current_K in self._told.current.items()}
            self._told = replace(self._told, current=current)
            self.office.desk.restart((name, "update", round))
            self._expect(left[name], "update", round)
            again = Again(run=self.office.run, sender=COORDINATOR, phase="update", round=round, chunks=[])
            self.office.say(name, again)
            self._parcel_for(left[name]).send(self.office.post, name, self._rate)
            left[name].member.progress.start(time.monotonic())

    def _forget(self, nodes: IntArray) -> None:
        """Count on nothing that nodes were sent before: they have begun anew, perhaps without what they knew."""
        algorithm, server = self.run.parts.algorithm, self.server
        assert isinstance(algorithm, ServerAlgorithm)
        server.algorithm = algorithm.forget(server.algorithm, nodes)
        for name in algorithm.broadcast(server.algorithm).channels:
            server.holders[name] = np.setdiff1d(server.holders.get(name, self.run.everyone), nodes)

    # ------------------------------------------------------------ the survey

    def survey(self, round: int) -> Tensor:
        """(N, R) what each node has answered to the trigger's survey; NaN where there is no answer."""
        width, header = self._reports.shape[1], header_bytes(0, {})
        for nodes in self._surveyed:
            self._traffic("up", nodes, np.full_like(nodes, 4 * width), np.full_like(nodes, header))
        self._surveyed.clear()
        return self._reports

    def _note_report(self, report: Report) -> None:
        """Keep what nodes first answer to the survey, if there is one, and it is theirs and of the right length."""
        member = self.office.crew.members.get(report.sender)
        nodes, width = set(report.nodes), self._reports.shape[1]
        own = member is not None and nodes <= set(member.rows_K.tolist()) and len(nodes) == len(report.nodes)
        if not own or not width or len(report.values) != 4 * width * len(nodes):
            self.office.desk.dropped["wrong report"] += 1
            return
        nodes_K = np.array(report.nodes, dtype=np.int64)
        new_K = ~self._answered_N[nodes_K]
        if new_K.any():
            values = np.frombuffer(report.values, dtype="<f4").reshape(len(nodes), width)
            self._reports[nodes_K[new_K]] = torch.from_numpy(values[new_K])
            self._surveyed.append(nodes_K[new_K])
            self._answered_N[nodes_K] = True

    # ------------------------------------------------------------ the end

    def measure(self, round: int, last: bool = False) -> dict[str, float]:
        """Evaluate here, and at the end let the nodes evaluate the models that they use themselves."""
        found = super().measure(round, last)
        return found | record_nodes(self.run, self._judged_there(round), round, self.log) if last else found

    def _judged_there(self, round: int) -> dict[str, dict[int, float]]:
        """By metric, each node's value, of those who answer in time."""
        final = self.office.parcel("final", round, [], broadcast_payloads(Message({"x": self.models()[0]})))
        waiting = {member.name for member in self.office.crew.present(self.office.run)}
        for name in waiting:
            final.to(name, self.office.identity).send(self.office.post, name)
        deadline = time.monotonic() + self.network.deadline
        found = defaultdict[str, dict[int, float]](dict)
        while waiting and time.monotonic() < deadline:
            what = self.office.next(TICK)
            waiting = {name for name in waiting if self.office.crew.members[name].alive}
            if isinstance(what, Done) and what.sender in waiting:
                waiting.discard(what.sender)
                for name, by_node in self._judged_by(what).items():
                    found[name] |= by_node
        return found

    def _judged_by(self, done: Done) -> dict[str, dict[int, float]]:
        """What a process says of its own nodes, as far as it was asked for."""
        rows = set(self.office.crew.members[done.sender].rows_K.tolist())
        asked = {name for name in self.run.metrics if name.startswith(("local_", "personal_"))}
        fits = {name for name, values in done.metrics.items() if len(values) == len(done.nodes)}
        if not done.nodes or not rows.issuperset(done.nodes):
            return {}
        return {name: dict(zip(done.nodes, done.metrics[name], strict=True)) for name in sorted(asked & fits)}


def _replies(arrived: Sequence[Arrived], packets: Sequence[Packet]) -> Replies:
    manifests = [a.manifest for a in arrived]
    nodes = [node for m in manifests for node in (*m.nodes, *m.silent)]
    losses = [loss for m in manifests for loss in (*m.losses, *m.silent_losses)]
    silent = [node for m in manifests for node in m.silent]
    order = np.argsort(nodes)
    nodes_K, losses_K = np.array(nodes, dtype=np.int64)[order], np.array(losses, dtype=np.float64)[order]
    return Replies(nodes_K, losses_K, packets, np.sort(np.array(silent, dtype=np.int64)))
