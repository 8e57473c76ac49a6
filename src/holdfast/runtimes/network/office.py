"""The coordinator's office: it stays open for all variants of an experiment, lets nodes join, and keeps the post."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import zenoh

from holdfast.algorithms import PeerAlgorithm
from holdfast.codecs import Payload
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.runtimes.network.crew import Crew, Member, fingerprint
from holdfast.runtimes.network.desk import STATEMENTS, Arrived, Desk
from holdfast.runtimes.network.identity import COORDINATOR, ROSTER, Identity, Roster, show_rows
from holdfast.runtimes.network.outgoing import Outgoing
from holdfast.runtimes.network.post import JOIN, ROOT, Address, Post, open_session
from holdfast.runtimes.network.seal import Seal, agree, fresh_secret, public_half
from holdfast.runtimes.network.tray import Request, Tray, ask_through, put_into
from holdfast.runtimes.network.wire import (
    CHUNK,
    DATAGRAM,
    Beat,
    Begin,
    End,
    Hello,
    Links,
    MessageError,
    Parcel,
    Ready,
    Refusal,
    Statement,
    Welcome,
    opened,
    sealed,
)

__all__ = ["Absent", "Office", "Present"]


LEAVING = 3.0
"""Seconds that nodes have to leave."""


class Absent(NamedTuple):
    """A node process is gone."""

    name: str


class Present(NamedTuple):
    """A node process has come."""

    name: str


class Office:
    """Where nodes join and write to.

    Args:
        experiment: what is to be run.
        address: where to listen.
        identity: the coordinator's keys; fresh ones, and no TLS, on loopback.
        roster: which key is whose; that of the keys' folder without it.

    Raises:
        InputError: the address cannot be listened at, or is reachable from other machines and there are no keys.
    """

    def __init__(
        self, experiment: Experiment, address: Address, identity: Identity | None = None, roster: Roster | None = None
    ) -> None:
        if (identity is None or identity.folder is None) and not address.loopback:
            remedy = "Make keys with `holdfast keys`, and give --keys FOLDER/coordinator; or listen at 127.0.0.1."
            raise InputError("--keys", "be given beyond loopback", str(address), remedy)
        for name, variant in experiment.runs():
            if variant.clock is not None:
                remedy = "Give --set clock=null; real time passes by itself."
                error = InputError("clock", "be left out with real processes", "a virtual clock", remedy)
                raise experiment.blame(name, error)
        self.experiment, self.identity = experiment, identity or Identity.fresh(COORDINATOR)
        self.text = json.dumps(experiment.as_mapping(), sort_keys=True)
        roster_file = identity.folder.parent / ROSTER if identity and identity.folder else None
        roster = Roster.load(roster_file) if roster_file else roster
        patience = experiment.network.patience
        own = self.identity.public
        everyone = [variant for _, variant in experiment.runs()]
        peers = any(isinstance(variant.algorithm, PeerAlgorithm) for variant in everyone)
        best_effort = any(variant.network.link == "best_effort" for variant in everyone)
        self.links = Links(experiment.network.lease, best_effort, peers)
        self.crew = Crew(
            experiment.nodes, fingerprint(experiment), own, roster, roster_file, patience, experiment.network.deadline
        )
        self.tray = Tray[Arrived | Statement | Absent | Present | Request]()
        self.secret, self.scope, self.variant, self.round = fresh_secret(), secrets.token_hex(8), "", 0
        self.reason = "the coordinator failed"
        self._lock, self._variants = threading.RLock(), 0
        self._beats: dict[str, tuple[float, Beat]] = {}
        tls = identity.tls() if identity and identity.folder else None
        self.address = address = address.settled()
        endpoints = self._endpoints(address, tls is not None)
        lease = experiment.network.lease
        self.session = open_session("router", endpoints, tls=tls, lease=lease, best_effort=best_effort)
        try:
            self._open()
        except BaseException:
            self.session.close()
            raise

    def _endpoints(self, address: Address, secure: bool) -> list[str]:
        if not self.links.best_effort:
            return [address.endpoint(secure)]
        return [f"{address.endpoint(secure)}?rel=1", f"udp/{address}?rel=0"]

    def _open(self) -> None:
        self.desk = Desk(self.crew.verify, self._lay_down, ask_through(self.tray), COORDINATOR)
        self.post = Post(self.session, COORDINATOR, self.scope, self.desk.receive)
        tokens = f"{ROOT}/{self.scope}/alive/*/*"
        self._presence = self.session.liveliness().declare_subscriber(tokens, self._presence_changed, history=True)
        self._door = self.session.declare_queryable(JOIN, self._knock)
        self._token = self.session.liveliness().declare_token(f"{ROOT}/{self.scope}/alive/{COORDINATOR}/0")

    @property
    def run(self) -> str:
        """The run under way: one for each variant."""
        return f"{self.scope}-{self._variants}"

    # ------------------------------------------------------------ what comes in, on zenoh's threads

    def _presence_changed(self, sample: zenoh.Sample) -> None:
        *_, name, instance = str(sample.key_expr).split("/")
        with self._lock:
            member = self.crew.members.get(name)
            if member is None or member.instance != instance:
                return
            member.alive = sample.kind == zenoh.SampleKind.PUT
            if not member.alive:
                member.ready = ""
        self.tray.put(Present(name) if member.alive else Absent(name))

    def _lay_down(self, what: Arrived | Statement) -> None:
        """Lay in the tray what the desk has checked; of signs of life, which take no room there, keep the newest."""
        if isinstance(what, Beat):
            self._beats[what.sender] = time.monotonic(), what
        else:
            put_into(self.tray)(what)

    def _knock(self, query: zenoh.Query) -> None:
        try:
            payload = query.payload.to_bytes() if query.payload else b""
            hello = opened(payload, self.crew.verify)
            if not isinstance(hello, Hello):
                raise MessageError("unexpected")
        except MessageError as rejected:
            self.desk.dropped[rejected.reason] += 1
            return
        with self._lock:
            reply = self._answer(hello)
            if isinstance(reply, Welcome) and self.crew.members[hello.sender].alive:  # it may have missed an invitation
                self.tray.put(Present(hello.sender))
        query.reply(JOIN, sealed(self.identity, reply))

    def _answer(self, hello: Hello) -> Welcome | Refusal:
        run, instance = self.run, hello.instance
        try:
            member = self.crew.admit(hello)
        except InputError as error:
            return Refusal(
                run=run,
                sender=COORDINATOR,
                instance=instance,
                field=error.field,
                required=error.required,
                given=str(error.given),
                remedy=error.remedy,
            )
        return Welcome(
            run=run,
            sender=COORDINATOR,
            instance=instance,
            key=self.identity.public,
            secret=public_half(self.secret),
            links=self.links,
            rows=show_rows(member.rows_K.tolist()),
            experiment=self.text,
        )

    # ------------------------------------------------------------ what goes out

    def say(self, name: str, statement: Statement) -> None:
        """Say something to a node."""
        self.post.send(name, STATEMENTS, sealed(self.identity, statement))

    def begin(self, variant: str, round: int) -> None:
        """A variant begins, or goes on after a round."""
        with self._lock:
            self.variant, self.round, self._variants = variant, round, self._variants + 1
            self._seals: dict[str, Seal] = {}
            self._sealed = self.experiment.variant(variant).network.link == "best_effort"
            self.desk.begin(self.run)
            for member in self.crew.members.values():
                member.ready = ""
                self.invite(member)

    def invite(self, member: Member) -> None:
        """Tell a node which variant is under way."""
        about = {"run": self.run, "sender": COORDINATOR, "to": member.name}
        begin = Begin(**about, variant=self.variant, round=self.round, peers=self.crew.peers())
        self.say(member.name, begin)

    def end(self, reason: str) -> None:
        """Tell all nodes that it is over, and give them time to leave."""
        told = [member for member in self.crew.members.values() if member.alive]
        for member in told:
            self.say(member.name, End(run=self.run, sender=COORDINATOR, to=member.name, reason=reason))
        until = time.monotonic() + LEAVING
        while any(member.alive for member in told) and time.monotonic() < until:
            time.sleep(0.01)

    def parcel(
        self,
        phase: str,
        round: int,
        nodes: list[int],
        payloads: Mapping[str, Payload],
        seal: Seal | None = None,
        **more: Any,
    ) -> Outgoing:
        """A parcel of the coordinator's, not addressed yet; in datagrams where sealed; its manifest says ``more``."""
        about = {"run": self.run, "sender": COORDINATOR, "to": COORDINATOR, "phase": phase, "round": round, **more}
        chunk = DATAGRAM if seal else CHUNK
        return Outgoing.of(
            self.identity, payloads, Parcel(**about, nodes=nodes, specs=[], chunk=chunk, digests=b""), seal
        )

    def seal(self, member: Member) -> Seal | None:
        """What opens a node's chunks, where they are sealed."""
        if not self._sealed:
            return None
        if member.secret not in self._seals:
            self._seals[member.secret] = agree(self.secret, member.secret, self.run, member.name)
        return self._seals[member.secret]

    # ------------------------------------------------------------ the day's work, on the main thread

    def next(self, timeout: float) -> Arrived | Statement | Absent | Present | None:
        """The next thing that concerns a round; everything about joining and progress is done on the way."""
        self.desk.tend(time.monotonic())
        taken = self.tray.take(timeout)
        self._note_beats()
        what = taken[1] if taken else None
        if what is None or not self._is_of_this_run(what):
            return None
        if isinstance(what, Request):
            self.say(what.recipient, what.again)
            return None
        if isinstance(what, Present) and self.variant:
            self.invite(self.crew.members[what.name])
        member = None if isinstance(what, (Arrived, Absent, Present)) else self.crew.members.get(what.sender)
        if isinstance(what, Ready):
            if member is None or what.instance != member.instance or member.ready == what.run or not member.alive:
                return None
            member.ready = what.run
        return what

    def _note_beats(self) -> None:
        """Take note of the newest signs of life."""
        while self._beats:
            name, (then, beat) = self._beats.popitem()
            member = self.crew.members.get(name)
            if member is not None and beat.instance == member.instance and beat.run == self.run:
                member.progress.beat(beat.count, then)

    def _is_of_this_run(self, what: Arrived | Statement | Absent | Present | Request) -> bool:
        """Whether something belongs to the run under way; what lay in the tray when that began does not."""
        said = what.manifest if isinstance(what, Arrived) else what
        return isinstance(said, (Absent, Present, Request)) or said.run == self.run

    def dropped(self) -> Counter[str]:
        """What came and was not as it must be, since the last time, by reason."""
        return self.desk.take_dropped()

    def close(self) -> None:
        """Close the session with all its threads."""
        self._door.undeclare()
        self._presence.undeclare()
        self._token.undeclare()
        self.post.close()
