"""Peers in a process of their own: they exchange with their neighbours' processes, whether anybody watches or not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from scipy import sparse

from holdfast.codecs import Payload
from holdfast.experiment import Experiment
from holdfast.packet import Packet
from holdfast.parts import NodeSide
from holdfast.prepare import Prepared
from holdfast.record.files import plain
from holdfast.record.recorder import Recorder
from holdfast.runtimes.network.desk import Arrived, Expectation
from holdfast.runtimes.network.identity import COORDINATOR, parse_rows
from holdfast.runtimes.network.member import Lost, Membership
from holdfast.runtimes.network.memory import Memory, revived, snapshot
from holdfast.runtimes.network.outgoing import Outgoing
from holdfast.runtimes.network.parcel import manifest_of, packet_of
from holdfast.runtimes.network.remote import update_form
from holdfast.runtimes.network.wire import Again, Begin, End, Go, Ready, Told
from holdfast.runtimes.peers import PeerRounds
from holdfast.types import FloatArray, IntArray

__all__ = ["AHEAD", "LEAD", "PACE", "Report", "Robot", "shown_after"]

AHEAD = 3
"""How many evaluations a process may be ahead of a coordinator that is there."""
PACE = 8
"""After how many rounds at most the coordinator says how far it has come."""
LEAD = 3 * PACE
"""How many rounds a process may be ahead of it: it tells the coordinator something in each."""
LINGER = 1.0
"""Seconds that a node without a coordinator stays after its last round, for the last messages to leave."""


def shown_after(experiment: Experiment, round: int) -> bool:
    """Whether the models are shown to the coordinator after a round."""
    return round % experiment.evaluate_every == 0 or round == experiment.rounds


class Report:
    """What a peer's process records of a round, until it is told to the coordinator."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, list[int], list[float]]] = []
        self.events: list[tuple[str, int | None, str]] = []

    def metric(self, round: int, name: str, value: float, node: int | None = None) -> None:
        """A value of the whole run, which this process does not know; the coordinator adds them up."""

    def metrics(self, round: int, name: str, nodes: Any, values: Any) -> None:
        """One value for each of many nodes."""
        self.rows.append((name, np.asarray(nodes).tolist(), np.asarray(values, dtype=np.float64).tolist()))

    def event(self, round: int, kind: str, node: int | None = None, **detail: object) -> None:
        """Something happened."""
        self.events.append((kind, node, json.dumps(plain(detail))))

    def take(self) -> tuple[list[tuple[str, list[int], list[float]]], list[tuple[str, int | None, str]]]:
        """What there was, metrics and events; it begins anew."""
        told = self.rows, self.events
        self.rows, self.events = [], []
        return told


class Robot(PeerRounds):
    """The peers hosted by this process.

    Args:
        run: the prepared variant.
        membership: the node's place among the others.
        here: the nodes hosted here.
        memory: what is kept of their state.
        variant: the variant's name.
        stopping: set when the user wants to stop.
        say: shows what happens.
    """

    def __init__(
        self,
        run: Prepared,
        membership: Membership,
        here: IntArray,
        memory: Memory,
        variant: str,
        stopping: threading.Event,
        say: Callable[[str], None],
    ) -> None:
        self.report = Report()
        super().__init__(run, cast(Recorder, self.report), here)
        self.membership, self.memory, self.variant = membership, memory, variant
        self.stopping, self.say = stopping, say
        self.form = update_form(run.parts)
        self.ahead = LEAD if run.topology.changes or run.graph(1).is_directed() else 1
        self._outbox: dict[tuple[str, int], dict[str, Outgoing]] = {}
        self._arrived: dict[tuple[str, int], Packet] = {}
        self._reason: str | None = None
        self._go: int | None = None
        self._start = 0

    def play_all(self, side: NodeSide) -> str | None:
        """All rounds that are left; why the run ended, or None if the next variant begins."""
        start = self._start = self._await_go()
        returns = start > 0 and not side.stores
        self.nodes = revived(self.memory.recall(self.variant, start) or {}) if returns else side
        while (round := self._next_round()) <= self.run.experiment.rounds:
            self.step(round)
            self._tell(round)
            if round % self.run.experiment.checkpoint_every == 0:
                self.memory.keep(self.variant, round, snapshot(self.nodes))
        self.memory.keep(self.variant, self.round, snapshot(self.nodes))
        return self._await_end()

    def _next_round(self) -> int:
        """The round after the last, or after that of the others, who went on without this process; none at the end."""
        if self._reason is not None or self.stopping.is_set():
            return self.run.experiment.rounds + 1
        if (self._go or 0) > self.round:
            self._start = self.round = self._go or 0
        return self.round + 1

    def expect(self, round: int) -> None:
        """What the others may send in a round and in those after it that a neighbour may have begun: the next one.

        Who does not hear this process in every round may be further ahead of it.
        """
        for name, peer in self.membership.peers.items():
            rows = frozenset(parse_rows(peer.rows))
            for near in range(round, round + self.ahead + 1):
                self.membership.desk.expect(name, "peer", near, Expectation(self.form, rows))

    # ------------------------------------------------------------ a round

    def _worked(self, round: int, nodes_K: IntArray, samples_K: FloatArray) -> None:
        """Count it, and tell it."""
        super()._worked(round, nodes_K, samples_K)
        self.report.metrics(round, "samples", nodes_K, samples_K)

    def exchange(self, round: int, packets: Sequence[Packet]) -> Sequence[Packet]:
        """Send what the nodes here say to their neighbours' processes, and wait for what those send."""
        self.expect(round)
        W = self.run.weights(round)
        waiting = self._others(sparse.coo_array(W[self.here]).col)
        for name in self._others(sparse.coo_array(W[:, self.here]).row):
            self._send_to(name, round, W, packets)
        if round == self._start + 1 > 1:
            self._ask_again(round, waiting)
        heard = self._collect(round, set(waiting))
        self.membership.desk.forget(round)
        self._outbox = {at: sent for at, sent in self._outbox.items() if at[1] >= round - 1}
        return [*packets, *heard]

    def _ask_again(self, round: int, names: Sequence[str]) -> None:
        """Ask the neighbours for what they may have sent before this process was there to hear it."""
        run, sender = self.membership.desk.run, self.membership.identity.name
        for name in names:
            self.membership.say(name, Again(run=run, sender=sender, phase="peer", round=round, chunks=[]))

    def _rows_of(self, name: str) -> IntArray:
        return np.array(parse_rows(self.membership.peers[name].rows), dtype=np.int64)

    def _others(self, nodes: IntArray) -> list[str]:
        """The other processes that host some of these nodes."""
        others = [name for name in self.membership.peers if name != self.membership.identity.name]
        return [name for name in others if np.isin(self._rows_of(name), nodes).any()]

    def _send_to(self, name: str, round: int, W: sparse.csr_array, packets: Sequence[Packet]) -> None:
        """Send a process the rows that its nodes are linked to; an empty parcel says that there are none."""
        linked = np.unique(sparse.coo_array(W[self._rows_of(name)]).col)
        chosen = [packet.rows(np.flatnonzero(np.isin(packet.nodes_K, linked))) for packet in packets]
        chosen = [packet for packet in chosen if len(packet)]
        outgoing = self._parcel(name, "peer", round, chosen[0] if chosen else None)
        self._outbox.setdefault(("peer", round), {})[name] = outgoing
        outgoing.send(self.membership.post, name)

    def _parcel(self, to: str, phase: str, round: int, packet: Packet | None) -> Outgoing:
        about = manifest_of(packet, self.membership.desk.run, self.membership.identity.name, to, phase, round)
        return Outgoing.of(self.membership.identity, packet.payloads if packet else {}, about)

    def _collect(self, round: int, waiting: set[str]) -> list[Packet]:
        """What the neighbours send in this round, until all have, are further, are gone, or the deadline is over."""
        deadline = time.monotonic() + self.run.experiment.network.deadline
        while left := waiting - {name for name, then in self._arrived if then >= round}:
            gone = {name for name in left if not self.membership.is_alive(name)}
            for name in left if time.monotonic() > deadline else gone:
                waiting.discard(name)
                for node in self._rows_of(name).tolist():
                    self.report.event(
                        round, "suspected", node, process=name, why="gone" if name in gone else "deadline"
                    )
            if self._reason is not None or self.stopping.is_set() or (self._go or 0) >= round:
                break
            self._handle(self.membership.next(0.05))
        heard = [packet for (_, then), packet in sorted(self._arrived.items()) if then == round and len(packet)]
        self._arrived = {at: packet for at, packet in self._arrived.items() if at[1] > round}
        return heard

    def _handle(self, what: object) -> None:
        match what:
            case Arrived() if what.manifest.phase == "peer":
                at = what.manifest.sender, what.manifest.round
                self._arrived[at] = packet_of(what.manifest, what.payloads)
            case Begin():
                self.membership.begin(what)
                self.expect(self.round + 1)
                self._ready()
            case Go():
                self._go = max(self._go or 0, what.round)
            case Again():
                self._send_again(what)
            case End():
                self._reason = what.reason
            case Lost(name=name) if name == COORDINATOR and self._reason is None:
                self.say("the coordinator is gone; training goes on without it")

    def _send_again(self, again: Again) -> None:
        outgoing = self._outbox.get((again.phase, again.round), {}).get(again.sender)
        if outgoing is not None:
            outgoing.repeat(self.membership.post, again.sender, again.chunks)

    # ------------------------------------------------------------ with the coordinator

    def _ready(self) -> None:
        """Tell the coordinator, which asks for it, that this process is there."""
        run, sender, instance = self.membership.desk.run, self.membership.identity.name, self.membership.instance
        self.membership.say(COORDINATOR, Ready(run=run, sender=sender, instance=instance, round=self.round))

    def _await_go(self) -> int:
        while self._go is None and self._reason is None and not self.stopping.is_set():
            self._handle(self.membership.next(0.1))
        self.round = self._go or 0
        return self.round

    def _tell(self, round: int) -> None:
        """Tell the coordinator of a round, and show it the models when they are to be evaluated."""
        experiment = self.run.experiment
        if not self.membership.is_alive(COORDINATOR):
            self.report.take()
            return
        totals = {name: int(total) for name, total in self.totals.items()} | {"messages": self.messages}
        self._await_coordinator(round)
        if shown_after(experiment, round):
            x_KD = self.models()
            nan_K = x_KD.new_full((len(self.here),), 0.0)
            packet = Packet(round, self.here, {"x": Payload({"values": x_KD}, x_KD.shape[1])}, nan_K, nan_K)
            outgoing = self._parcel(COORDINATOR, "models", round, packet)
            self._outbox["models", round] = {COORDINATOR: outgoing}
            outgoing.send(self.membership.post, COORDINATOR)
        run, sender, (metrics, events) = self.membership.desk.run, self.membership.identity.name, self.report.take()
        told = Told(run=run, sender=sender, round=round, totals=totals, metrics=metrics, events=events)
        self.membership.say(COORDINATOR, told)

    def _await_coordinator(self, round: int) -> None:
        """Let a coordinator that is there, but slow, catch up; its room for models is bounded."""
        least = round - min(LEAD, (AHEAD - 1) * self.run.experiment.evaluate_every)
        while (self._go or 0) < least and self.membership.is_alive(COORDINATOR):
            if self._reason is not None or self.stopping.is_set():
                return
            self._handle(self.membership.next(0.05))

    def _await_end(self) -> str | None:
        """Stay until the coordinator says that it is over; without one, for the last messages to leave."""
        left_at: float | None = None
        while self._reason is None and not self.stopping.is_set():
            there = self.membership.is_alive(COORDINATOR)
            left_at = None if there else left_at or time.monotonic()
            if left_at is not None and time.monotonic() > left_at + LINGER:
                return "all rounds are done, and the coordinator is gone"
            what = self.membership.next(0.1)
            if isinstance(what, Begin) and what.run != self.membership.desk.run:
                self.membership.tray.put(what)  # the next variant
                return None
            self._handle(what)
        return self._reason
