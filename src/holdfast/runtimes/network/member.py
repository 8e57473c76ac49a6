"""Membership: how a node finds its coordinator, is let in, and comes back when the coordinator was away."""

from __future__ import annotations

import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import zenoh

from holdfast.errors import InputError
from holdfast.runtimes.network.desk import STATEMENTS, Arrived, Desk
from holdfast.runtimes.network.identity import COORDINATOR, Identity, verify
from holdfast.runtimes.network.post import JOIN, ROOT, Address, Post, open_session
from holdfast.runtimes.network.seal import Seal, agree, fresh_secret, public_half
from holdfast.runtimes.network.tray import Request, Tray, ask_through, put_into
from holdfast.runtimes.network.wire import (
    PROTOCOL,
    Again,
    Ask,
    Begin,
    Go,
    Hello,
    Links,
    MessageError,
    Parcel,
    Peer,
    Refusal,
    Statement,
    Welcome,
    opened,
    sealed,
)
from holdfast.runtimes.rounds import StoppedError

__all__ = ["Lost", "Membership", "Patience"]

RETRY = 0.3
ANSWER = 5.0
"""Seconds that the coordinator has to answer."""
GHOST = 3.0
"""Seconds for which a name may still belong to a process that is gone: its link has a lease."""


class Lost(NamedTuple):
    """Another process is gone."""

    name: str


@dataclass(frozen=True)
class Patience:
    """How long to wait for a coordinator, and how to say so.

    Args:
        seconds: for how long.
        say: shows what is waited for.
    """

    seconds: float = 300.0
    say: Callable[[str], None] = lambda text: None
    stopping: threading.Event = field(default_factory=threading.Event)


class Membership:
    """A node's place among the others: its session, its post, and whom it believes.

    Args:
        address: where the coordinator listens.
        identity: the node's name and key.
        rows: which nodes it wants to host; the coordinator's choice without it.
        experiment: the digest of its own copy of the experiment, if it has one.
        listen: where peers reach this node; anywhere on loopback without it.
        patience: how long to wait for the coordinator.

    Raises:
        InputError: the address or the keys are wrong, or the coordinator refuses the node.
    """

    def __init__(
        self,
        address: Address,
        identity: Identity,
        rows: str | None = None,
        experiment: str | None = None,
        listen: Address | None = None,
        patience: Patience | None = None,
    ) -> None:
        if identity.folder is None and not address.loopback:
            remedy = "Give --keys with this node's folder of keys, which `holdfast keys` makes."
            raise InputError("--keys", "be given beyond loopback", str(address), remedy)
        self.address, self.identity, self.rows, self.experiment = address, identity, rows, experiment
        self.patience = patience or Patience()
        self.instance, self.secret = secrets.token_hex(8), fresh_secret()
        self.known = self.believed = identity.coordinator
        self.peers: dict[str, Peer] = {}
        self.tray = Tray[Arrived | Statement | Lost | Request]()
        self.alive: set[tuple[str, str]] = set()
        self._listen = listen or Address("127.0.0.1", 0)
        self._session: zenoh.Session | None = None
        self._post: Post | None = None
        self._refused, self._links = 0, Links()
        self.desk = Desk(self._verify, put_into(self.tray), ask_through(self.tray), identity.name)

    @property
    def post(self) -> Post:
        """By which this node sends."""
        assert self._post is not None
        return self._post

    # ------------------------------------------------------------ joining

    def join(self) -> Welcome:
        """Find the coordinator and be let in; again after it was away, with the same rows.

        Raises:
            InputError: nobody answers in time, or the coordinator refuses.
        """
        deadline = time.monotonic() + self.patience.seconds
        self._wait_for_door(deadline)
        while True:
            reply = self._knock()
            if isinstance(reply, Welcome):
                break
            if reply is not None and not self._worth_waiting(reply):
                raise InputError(reply.field, reply.required, reply.given, reply.remedy)
            self._wait(deadline, "waiting for the coordinator's answer")
        self._enter(reply)
        return reply

    def _worth_waiting(self, refusal: Refusal) -> bool:
        """Whether the name may only still belong to a process that is gone."""
        held = refusal.field == "--node" and "running process" in refusal.required
        self._refused += held
        return held and self._refused * RETRY < GHOST

    def _wait(self, deadline: float, what: str) -> None:
        if self.patience.stopping.is_set():
            raise StoppedError("stopped while it waited for the coordinator")
        if time.monotonic() > deadline:
            remedy = (
                "Check the address, that `holdfast coordinate` runs there, and that both sides have --keys, or none."
            )
            raise InputError("address", "be that of a running coordinator", str(self.address), remedy)
        self.patience.say(f"{what} at {self.address}")
        self.patience.stopping.wait(RETRY)

    def _wait_for_door(self, deadline: float) -> None:
        """Wait until somebody listens there; with keys, until they are found to be the right ones."""
        while not self._at_the_door():
            self._wait(deadline, "waiting for a coordinator")

    def _at_the_door(self) -> bool:
        try:
            with socket.create_connection((self.address.host, self.address.port), timeout=2) as link:
                if self.identity.folder is not None:
                    _greet(link, self.address, self.identity.folder)
                return True
        except socket.gaierror as error:
            raise InputError("address", "name a host that exists", str(self.address), f"{error.strerror}.") from error
        except ssl.SSLError as error:
            remedy = f"TLS says: {error.reason or error}. Use the folder of keys that was made for this run and node."
            raise InputError("--keys", f"fit the coordinator at {self.address}", self.identity.name, remedy) from error
        except OSError:
            return False

    def _open(self, links: Links) -> zenoh.Session:
        """A session with these links; until the node is let in, with none but that to the coordinator."""
        secure = self.identity.folder is not None
        dial, tls = self.address.endpoint(secure), self.identity.tls() if secure else None
        both = [f"{dial}?rel=1", f"udp/{self.address}?rel=0"] if links.best_effort else [dial]
        listen = [self._listen.endpoint(secure)] if links.peers else []
        self._links = links
        return open_session("peer", listen, both, tls=tls, lease=links.lease, best_effort=links.best_effort)

    def _knock(self) -> Welcome | Refusal | None:
        if self._session is None:
            self._session = self._open(Links())
        hello = Hello(
            run=self.instance,
            sender=self.identity.name,
            protocol=PROTOCOL,
            version=version("holdfast"),
            instance=self.instance,
            key=self.identity.public,
            clock=time.time(),
            secret=public_half(self.secret),
            rows=self.rows,
            experiment=self.experiment,
        )
        for reply in self._session.get(JOIN, payload=sealed(self.identity, hello), timeout=ANSWER):
            found = self._reply(reply)
            if found is not None:
                return found
        return None

    def _reply(self, reply: zenoh.Reply) -> Welcome | Refusal | None:
        if reply.ok is None:
            return None
        try:
            found = opened(reply.ok.payload.to_bytes(), self._verify_reply)
        except MessageError:
            return None
        return found if isinstance(found, (Welcome, Refusal)) and found.instance == self.instance else None

    def _verify_reply(self, statement: Statement, body: bytes, signature: bytes) -> bool:
        """Whether the coordinator signed: the one with the known key, or on loopback whichever there is."""
        if self.known is not None:
            return verify(self.known, body, signature)
        if isinstance(statement, Welcome) and verify(statement.key, body, signature):
            self.believed = statement.key
            return True
        return isinstance(statement, Refusal)

    def _enter(self, welcome: Welcome) -> None:
        """Take the post in the coordinator's session, and be seen to be there."""
        assert self._session is not None
        self.rows, self.half, self._refused = welcome.rows, welcome.secret, 0
        scope = welcome.run.partition("-")[0]
        if self._post is None or self._post.scope != scope:
            if self._post is not None:
                self._leave()
            self.alive.clear()
            if welcome.links != self._links:
                self._session.close()
                self._session = self._open(welcome.links)
            self.desk.scope = scope
            self._post = Post(self._session, self.identity.name, scope, self.desk.receive)
            live = self._session.liveliness()
            mine = f"{ROOT}/{scope}/alive/{self.identity.name}/{self.instance}"
            self._watch = live.declare_subscriber(f"{ROOT}/{scope}/alive/*/*", self._seen, history=True)
            self._token = live.declare_token(mine)

    def _seen(self, sample: zenoh.Sample) -> None:
        *_, name, instance = str(sample.key_expr).split("/")
        if sample.kind == zenoh.SampleKind.PUT:
            self.alive.add((name, instance))
        else:
            self.alive.discard((name, instance))
            self.tray.put(Lost(name))

    def is_alive(self, name: str) -> bool:
        """Whether another process is there."""
        return any(other == name for other, _ in self.alive.copy())

    def _verify(self, statement: Statement, body: bytes, signature: bytes) -> bool:
        if statement.sender == COORDINATOR:
            return self.believed is not None and verify(self.believed, body, signature)
        peer = self.peers.get(statement.sender)
        return peer is not None and verify(peer.key, body, signature)

    # ------------------------------------------------------------ belonging

    def begin(self, begin: Begin) -> None:
        """Take part in a variant, with these peers."""
        if begin.run != self.desk.run:
            self.desk.begin(begin.run)
        self.peers = dict(begin.peers)

    def say(self, recipient: str, statement: Statement) -> None:
        """Say something to another process."""
        self.post.send(recipient, STATEMENTS, sealed(self.identity, statement))

    def seal(self) -> Seal:
        """What seals this node's chunks in the run under way."""
        return agree(self.secret, self.half, self.desk.run, self.identity.name)

    def next(self, timeout: float) -> Arrived | Statement | Lost | None:
        """The next thing that came."""
        self.desk.tend(time.monotonic())
        _, what = self.tray.take(timeout) or (0.0, None)
        if isinstance(what, Request):
            self.say(*what)
            return None
        said = what.manifest if isinstance(what, Arrived) else what
        if isinstance(said, (Parcel, Go, Ask, Again)) and said.run != self.desk.run:
            return None  # it lay in the tray when the run began
        return what

    def _leave(self) -> None:
        self._token.undeclare()
        self._watch.undeclare()
        assert self._post is not None
        self._post.stop()

    def close(self) -> None:
        """Leave, and close the session with all its threads."""
        if self._post is not None:
            self._leave()
        if self._session is not None:
            self._session.close()


def _greet(link: socket.socket, address: Address, folder: Path) -> None:
    """Shake hands as zenoh will, to learn in words what zenoh would only log.

    Raises:
        ssl.SSLError: one of the sides does not accept the other's certificate.
    """
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with context.wrap_socket(link, server_hostname=address.host) as secure:
        secure.settimeout(0.3)
        try:  # with TLS 1.3 the other side's verdict comes after the handshake
            secure.recv(1)
        except TimeoutError:
            return
