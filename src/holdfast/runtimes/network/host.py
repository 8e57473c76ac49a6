"""A node's process: it joins a coordinator, loads its own data, and works for the nodes that it hosts."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec.structs import replace
from torch import Tensor

from holdfast.algorithms import ServerAlgorithm
from holdfast.attacks import Attack
from holdfast.catalogue import OWN_CLASS, catalogue
from holdfast.checkpoint import digest
from holdfast.codecs import Payload
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.message import Message
from holdfast.packet import Packet
from holdfast.parts import NodeSide, Spoken
from holdfast.prepare import Prepared, Preparer
from holdfast.round import answer, speak
from holdfast.runtimes.measure import judge_nodes
from holdfast.runtimes.network.desk import ANY_ROUND, Arrived, Expectation
from holdfast.runtimes.network.identity import COORDINATOR, parse_rows
from holdfast.runtimes.network.member import Lost, Membership
from holdfast.runtimes.network.memory import Memory, revived, snapshot
from holdfast.runtimes.network.outgoing import Outgoing
from holdfast.runtimes.network.parcel import form_of, manifest_of
from holdfast.runtimes.network.remote import broadcast_payloads, template
from holdfast.runtimes.network.robot import Robot
from holdfast.runtimes.network.seal import Seal
from holdfast.runtimes.network.wire import CHUNK, DATAGRAM, Again, Ask, Beat, Begin, Done, End, Ready, Report
from holdfast.runtimes.rounds import StoppedError
from holdfast.runtimes.weather import Weather
from holdfast.tell import Told, first_message
from holdfast.types import IntArray

__all__ = ["Host", "foreign_classes"]

BEAT = 0.25
"""Seconds between signs of life."""
REPORTED = 2**20
"""Bytes of answers to a survey that go in one statement, about."""
SHOWN_EVERY = 5.0
"""Seconds between lines that show how far the run is."""


@dataclass
class Host:
    """Serves a coordinator until the run is over.

    Args:
        membership: the node's place among the others.
        data_dir: where its data lie.
        own: the node's own copy of the experiment, of which it trusts the classes; the coordinator's without one.
        state_dir: where its nodes' state is kept between lives of the process; nowhere without one.
        say: shows what happens.
        stopping: set when the user wants to stop.
    """

    membership: Membership
    data_dir: Path | None = None
    own: Experiment | None = None
    state_dir: Path | None = None
    say: Callable[[str], None] = lambda text: None
    stopping: threading.Event = field(default_factory=threading.Event)
    run: Prepared | None = None
    round: int = 0
    variant: str = ""

    def serve(self) -> str:
        """Join, and work until the coordinator says that it is over; why it is.

        Raises:
            InputError: the coordinator refuses the node, or the experiment cannot be run here.
        """
        beating = threading.Thread(target=self._beat, name="holdfast-beat", daemon=True)
        try:
            self._join()
            beating.start()
            return next(reason for reason in self._reasons() if reason is not None)
        except StoppedError:
            return "stopped by the user"
        finally:
            self._remember()
            self._over.set()
            if beating.is_alive():
                beating.join()
            self.membership.close()

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._outbox: dict[tuple[str, int], Outgoing] = {}
        self._held: dict[str, Tensor] = {}
        self._seal: Seal | None = None
        self._memory = Memory("")
        self._rate, self._shown = math.inf, -math.inf
        self._chunks, self._said, self._side = 0, list[Spoken](), NodeSide()

    def _reasons(self) -> Iterator[str | None]:
        """Do what comes, one after the other, until there is a reason to stop."""
        while not self.stopping.is_set():
            yield self._handle(self.membership.next(0.1))
        yield "stopped by the user"

    def _handle(self, what: object) -> str | None:
        match what:
            case Begin():
                return self._begin(what)
            case Arrived() if what.manifest.phase in ("broadcast", "whole"):
                self._work(what)
            case Arrived() if what.manifest.phase == "final":
                self._judge(what)
            case Ask():
                self._answer(what)
            case Again() if what.sender == COORDINATOR:
                self._send_again(what)
            case End():
                return what.reason
            case Lost(name=name) if name == COORDINATOR:
                self.say("the coordinator is gone; waiting for it to come back")
                self._join()
        return None

    # ------------------------------------------------------------ joining

    def _join(self) -> None:
        welcome = self.membership.join()
        described = json.loads(welcome.experiment)
        mark = digest(welcome.experiment)
        if self.run is None or mark != self._memory.experiment:
            self.run = None
            self._experiment = self.own or trusted(described)
            self._memory = Memory(mark, self.state_dir, self.say)
            self._preparer = Preparer(self.data_dir, rows=len(parse_rows(welcome.rows)))
        self.rows: IntArray = np.array(parse_rows(welcome.rows), dtype=np.int64)
        self.say(f"joined {self.membership.address} as {self.membership.identity.name}, hosting nodes {welcome.rows}")

    def _begin(self, begin: Begin) -> str | None:
        """Prepare a variant, and say when that is done; among peers, play all of it."""
        going_on = begin.run == self.membership.desk.run
        self.membership.begin(begin)
        if not going_on:
            self._prepare(begin)
            self._survey()
        assert self.run is not None
        self._expect()
        robot = self._robot(begin) if self.run.peers and not going_on else None
        name, instance = self.membership.identity.name, self.membership.instance
        self.membership.say(COORDINATOR, Ready(run=begin.run, sender=name, instance=instance, round=self.round))
        return robot.play_all(self._side) if robot else None

    def _robot(self, begin: Begin) -> Robot:
        assert self.run is not None
        robot = Robot(self.run, self.membership, self.rows, self._memory, self.variant, self.stopping, self.say)
        robot.expect(begin.round + 1)
        return robot

    def _prepare(self, begin: Begin) -> None:
        before = (self.variant, self.round)
        self.variant, self.round = begin.variant, begin.round
        self.run = self._preparer.prepare(self._experiment.variant(begin.variant))
        self.weather = Weather(self.run.experiment.faults, self.run.experiment.seed)
        check_sight(self.run, self.rows)
        self.run.warm_up()  # what compiles now does not look like standing still later
        self._outbox, self._said = {}, []
        self._held = {} if self.run.peers else dict(first_message(self.run.parts).channels)
        self._seal = self.membership.seal() if self.run.experiment.network.link == "best_effort" else None
        state = self._memory.recall(begin.variant, begin.round) if begin.round else None
        if state is not None:
            self._side = revived(state)
        elif before[0] != begin.variant or not begin.round:
            self._side = NodeSide()

    def _expect(self) -> None:
        """Of the coordinator: the model, in any round."""
        assert self.run is not None
        algorithm, parts = self.run.parts.algorithm, self.run.parts
        if isinstance(algorithm, ServerAlgorithm):
            first, everyone = first_message(parts), frozenset(self.run.everyone.tolist())
            coded = {name: template(parts.down(x_D.numel()), x_D.numel()) for name, x_D in first.channels.items()}
            final = broadcast_payloads(Message({"x": parts.initial_D}))
            forms = {"broadcast": (coded, self._seal), "final": (final, None)}
            forms["whole"] = broadcast_payloads(first), self._seal
            for phase, (payloads, closed) in forms.items():
                expected = Expectation(form_of(payloads), everyone, closed, single=True)
                self.membership.desk.expect(COORDINATOR, phase, ANY_ROUND, expected)

    # ------------------------------------------------------------ a round

    def _work(self, arrived: Arrived) -> None:
        """Work on a broadcast, and say what came of it."""
        manifest, run = arrived.manifest, self.run
        if run is None or manifest.round <= self.round:
            return
        if self.round % run.experiment.checkpoint_every == 0:
            self._remember()
        nodes_K = np.intersect1d(self.rows, np.array(manifest.nodes, dtype=np.int64))
        self.round = manifest.round
        self.membership.desk.forget(self.round)
        if not len(nodes_K):
            return
        told, work_K = self._hear(arrived, nodes_K), self.weather.work(self.round, nodes_K)
        cohort = run.cohort(nodes_K, self.round, work_K, told.lost)
        said, packets = speak(run.parts, self._side, [cohort], told)
        self._said = [spoken.silent() for spoken in said]
        self._outbox = {}
        self._upload("update", packets, self._said, len(nodes_K) / len(manifest.nodes))
        self._progress(torch.cat([s.message.losses_K for s in said]).nanmean().item())

    def _hear(self, arrived: Arrived, nodes_K: IntArray) -> Told:
        """What the own nodes are told; who is sent nothing in a channel has nothing there."""
        assert self.run is not None
        manifest = arrived.manifest
        for name, payload in arrived.payloads.items():
            self._held[name] = self._decode(name, payload, manifest.phase == "whole")
        channels = dict(self._held)
        sent = {name: ~np.isin(manifest.nodes, manifest.missing.get(name, [])) for name in arrived.payloads}
        sent |= {name: np.zeros(len(manifest.nodes), dtype=bool) for name in channels if name not in sent}
        nodes, orders = np.array(manifest.nodes, dtype=np.int64), np.array(manifest.orders)
        current = {name: np.ones(len(nodes), dtype=bool) for name in channels}
        lost = {node: tuple(samples) for node, samples in manifest.lost.items()}
        return Told(manifest.round, nodes, Message(channels), {}, {}, sent, current, orders, lost).rows(nodes_K)

    def _decode(self, name: str, payload: Payload, whole: bool) -> Tensor:
        """(D,) a channel of the broadcast."""
        assert self.run is not None
        codec = self.run.parts.down(payload.columns)
        if whole or codec is None:
            return payload.tensors["values"][0]
        decoded_D = codec.decode(payload)[0]
        return self._held[name] + decoded_D.where(decoded_D.isfinite(), 0) if codec.differences else decoded_D

    def _survey(self) -> None:
        """Answer the trigger's survey, some nodes at a time."""
        assert self.run is not None
        width, membership = self.run.survey_width, self.membership
        about = {"run": membership.desk.run, "sender": membership.identity.name, "instance": membership.instance}
        step = max(1, REPORTED // (4 * width)) if width else len(self.rows)
        for start in range(0, len(self.rows) if width else 0, step):
            nodes_K = self.rows[start : start + step]
            values = self.run.survey(nodes_K).float().numpy().astype("<f4").tobytes()
            membership.say(COORDINATOR, Report(**about, nodes=nodes_K.tolist(), values=values))

    def _progress(self, loss: float) -> None:
        """Show how far the run is, now and then."""
        assert self.run is not None
        now, rounds = time.monotonic(), self.run.experiment.rounds
        if now > self._shown + SHOWN_EVERY or self.round == rounds:
            self._shown = now
            self.say(f"round {self.round} of {rounds}: training loss {loss:.4g}")

    def _answer(self, ask: Ask) -> None:
        """Speak although the trigger said otherwise."""
        if self.run is None or ask.round != self.round or (ask.phase, self.round) in self._outbox:
            return
        wanted = [s.rows(np.flatnonzero(np.isin(s.cohort.nodes_K, ask.nodes))) for s in self._said]
        self._upload(ask.phase, answer(self.run.parts, self._side, wanted), [], 1.0)

    def _upload(self, phase: str, packets: Sequence[Packet], silent: Sequence[Spoken], share: float) -> None:
        """Send what some nodes say; of the coordinator's bandwidth, take so much."""
        assert self.run is not None
        packet, chunk = packets[0] if packets else None, DATAGRAM if self._seal else CHUNK
        run, sender = self.membership.desk.run, self.membership.identity.name
        about = replace(
            manifest_of(packet, run, sender, COORDINATOR, phase, self.round, chunk),
            silent=[int(node) for spoken in silent for node in spoken.cohort.nodes_K],
            silent_losses=[float(loss) for spoken in silent for loss in spoken.message.losses_K],
        )
        payloads = packet.payloads if packet else {}
        outgoing = Outgoing.of(self.membership.identity, payloads, about, self._seal)
        self._outbox[phase, self.round] = outgoing
        self._rate = 1e6 * share * self.run.experiment.network.rate
        outgoing.send(self.membership.post, COORDINATOR, self._rate)
        self._chunks += len(outgoing.chunks)

    def _send_again(self, again: Again) -> None:
        """Send chunks once more, or all of a parcel if none are named."""
        outgoing = self._outbox.get((again.phase, again.round))
        if outgoing is not None:
            outgoing.repeat(self.membership.post, COORDINATOR, again.chunks, self._rate)

    def _judge(self, arrived: Arrived) -> None:
        """Evaluate the models that the own nodes use themselves, after the last round."""
        assert self.run is not None
        x_D = arrived.payloads["x"].tensors["values"][0]
        found = judge_nodes(self.run, self._side, self.rows, x_D, arrived.manifest.round)
        about = {"run": self.membership.desk.run, "sender": self.membership.identity.name}
        metrics = {name: values.tolist() for name, values in found.items()}
        self.membership.say(COORDINATOR, Done(**about, nodes=self.rows.tolist(), metrics=metrics))

    # ------------------------------------------------------------ beside the rounds

    def _remember(self) -> None:
        """Keep the nodes' state after the rounds at which the coordinator keeps its own."""
        if self.run is None or self.run.peers or not self.round or not any(self._side.stores.values()):
            return
        self._memory.keep(self.variant, self.round, snapshot(self._side))

    def _beat(self) -> None:
        """Say how much is done, until it is over; on a thread of its own."""
        while not self._over.wait(BEAT):
            run, membership = self.run, self.membership
            if run is not None and membership.desk.run:
                done = run.engine.batches + self._chunks
                about = {"run": membership.desk.run, "sender": membership.identity.name}
                membership.say(COORDINATOR, Beat(**about, instance=membership.instance, count=done))


def check_sight(run: Prepared, rows: IntArray) -> None:
    """Refuse an attack by nodes of this process that must see what is computed in others.

    Raises:
        InputError: Byzantine nodes are hosted here, and not all whom their attack must see.
    """
    attack, bad = run.parts.attack, run.parts.byzantine
    if attack is None or not np.isin(rows, bad).any() or attack.knows == "own":
        return
    sees = bad if attack.knows == "colluders" else run.everyone
    if not np.isin(sees, rows).all():
        whom = "its accomplices" if attack.knows == "colluders" else "every node"
        given = f"{attack.component_name()}, which sees {whom}"
        blind = [name for name, cls in catalogue("attacks").items() if issubclass(cls, Attack) and cls.knows == "own"]
        remedy = f"Host all of them in one process with --rows, or use an attack that works there: {', '.join(blind)}."
        raise InputError("attack", "see no further than the process that it runs in", given, remedy)


def foreign_classes(described: Any) -> list[str]:
    """The classes ``module:Class`` that an experiment would import.

    Example:
        >>> foreign_classes({"problem": {"name": "mine:Problem"}, "name": "a"})
        ['mine:Problem']
    """
    if isinstance(described, dict):
        return [name for value in described.values() for name in foreign_classes(value)]
    if isinstance(described, list):
        return [name for value in described for name in foreign_classes(value)]
    return [described] if isinstance(described, str) and OWN_CLASS.fullmatch(described) else []


def trusted(described: dict[str, Any]) -> Experiment:
    """The experiment that a coordinator described, which imports nothing that this node did not bring itself.

    Raises:
        InputError: it would, or it is not a valid experiment.
    """
    foreign = foreign_classes({key: value for key, value in described.items() if key != "name"})
    if foreign:
        remedy = "Give this node its own copy of the file, with --experiment FILE, if you trust that class."
        raise InputError("experiment", "name only classes that come with Holdfast", foreign[0], remedy)
    return Experiment(**described)
