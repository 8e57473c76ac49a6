"""The post: one zenoh session of a process, by which statements and chunks reach other processes by their names.

Keys are ``holdfast/SESSION/to/RECIPIENT/SENDER/KIND``. Who sent a message is not believed because of its key, but only
because of its signature or digest.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zenoh

from holdfast.errors import InputError

__all__ = ["JOIN", "ROOT", "Address", "Post", "open_session"]

ROOT = "holdfast"
JOIN = f"{ROOT}/join"
BUFFERED = 64
"""How many messages wait for this process before the network is held back; each is at most `LARGEST` bytes."""
LARGEST = 2**21 + 2**10
RECEIVED = 4 * 2**20
"""Bytes of datagrams that a socket may hold until this process gets to them."""
BURST = 32 * 2**10
"""Bytes sent at once over a best-effort link before it is given time: less than the smallest socket buffer."""


@dataclass(frozen=True)
class Address:
    """Where a process listens: ``tcp/HOST:PORT`` on loopback, ``tls/HOST:PORT`` with keys.

    Example:
        >>> Address.parse("127.0.0.1:7447").loopback, Address.parse("[::1]:7447").host
        (True, '::1')
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """From ``HOST:PORT``.

        Raises:
            InputError: it is something else.
        """
        host, _, port = text.rpartition(":")
        host = host.strip("[]")
        if not host or not port.isdigit() or not 0 <= int(port) < 2**16 or "/" in host:
            raise InputError("address", "look like HOST:PORT", text, "Write 127.0.0.1:7447, say.")
        return cls(host, int(port))

    def settled(self) -> Address:
        """The same with a free port in place of port 0."""
        if self.port:
            return self
        with socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET) as free:
            free.bind((self.host, 0))
            return Address(self.host, free.getsockname()[1])

    @property
    def loopback(self) -> bool:
        """Whether nobody beyond this machine can reach it."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def endpoint(self, secure: bool) -> str:
        """As zenoh writes it."""
        return f"{'tls' if secure else 'tcp'}/{self}"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def open_session(
    mode: str,
    listen: Sequence[str] = (),
    connect: Sequence[str] = (),
    tls: dict[str, object] | None = None,
    lease: float = 1.0,
    best_effort: bool = False,
) -> zenoh.Session:
    """A zenoh session.

    Args:
        mode: ``router`` of a coordinator, ``peer`` of a node.
        listen: endpoints at which others may dial.
        connect: endpoints to dial, again and again until somebody answers.
        tls: keys and certificates.
        lease: seconds of silence after which a link counts as cut.
        best_effort: whether there are UDP links beside the reliable ones.

    Raises:
        InputError: the port is in use, or there is no such address.
    """
    config = zenoh.Config()
    settings: dict[str, object] = {
        "mode": mode,
        "listen/endpoints": list(listen),
        "connect/endpoints": list(connect),
        "connect/timeout_ms": 0 if mode == "peer" else -1,
        "connect/exit_on_failure": False,
        "connect/retry": {"period_init_ms": 100, "period_max_ms": 1000, "period_increase_factor": 2},
        "scouting/multicast/enabled": False,
        "scouting/delay": 0,  # nobody is to be found by chance
        "transport/link/tx/lease": int(1000 * lease),
        "transport/link/rx/max_message_size": LARGEST,
        "transport/unicast/max_links": 2 if best_effort else 1,
        # Between processes of one machine zenoh would share memory: nothing here may depend on who shares a machine.
        "transport/shared_memory/enabled": False,
    }
    if mode == "router":  # what nodes send to the coordinator is for nobody else, whatever they subscribe to
        settings["access_control"] = {
            "enabled": True,
            "default_permission": "allow",
            "rules": [
                {
                    "id": "uploads",
                    "permission": "deny",
                    "flows": ["egress"],
                    "messages": ["put"],
                    "key_exprs": [f"{ROOT}/*/to/coordinator/**"],
                }
            ],
            "subjects": [{"id": "everyone"}],
            "policies": [{"rules": ["uploads"], "subjects": ["everyone"]}],
        }
    if best_effort:  # a put waits for room instead of dropping, and its datagrams are never split by the network
        drop = "transport/link/tx/queue/congestion_control/drop"
        settings |= {f"{drop}/wait_before_drop": 10**6, f"{drop}/max_wait_before_drop_fragments": 10**6}
        settings["transport/link/tx/keep_alive"] = 8
    if tls is not None:
        settings["transport/link/tls"] = tls
    for key, value in settings.items():
        config.insert_json5(key, json.dumps(value))
    try:
        session = zenoh.open(config)
        if best_effort:
            _widen_buffers()
        return session
    except zenoh.ZError as error:
        given = ", ".join([*listen, *connect])
        remedy = (
            f"zenoh says: {str(error).splitlines()[0][:300]} Is the port in use? Choose another, or port 0 for any."
        )
        raise InputError("address", "be one at which this process can listen or dial", given, remedy) from error


def _widen_buffers() -> None:
    """Let the sockets for datagrams hold as many as the system allows: zenoh has no setting for that."""
    folder = Path("/proc/self/fd")
    for number in [int(name) for name in os.listdir(folder)] if folder.exists() else []:
        try:
            kind = os.readlink(folder / str(number))
            if kind.startswith("socket:"):
                with socket.socket(fileno=os.dup(number)) as held:
                    if held.type == socket.SOCK_DGRAM and held.family in (socket.AF_INET, socket.AF_INET6):
                        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
        except OSError:  # closed in the meantime
            continue


Receive = Callable[[str, str, bytes], None]
"""What is done with (claimed sender, kind, payload); it runs on the post's own thread."""


@dataclass
class Post:
    """Sends to other processes, and hands what comes to one function, on one thread, in the order of arrival.

    Args:
        session: the zenoh session.
        name: this process's.
        scope: the session of the coordinator, which keeps runs apart that share a network.
        receive: what is done with what comes.
    """

    session: zenoh.Session
    name: str
    scope: str
    receive: Receive
    _publishers: dict[tuple[str, str, bool], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    def __post_init__(self) -> None:
        inbox: Any = zenoh.handlers.FifoChannel(BUFFERED)
        self._subscriber = self.session.declare_subscriber(f"{ROOT}/{self.scope}/to/{self.name}/**", inbox)
        self._thread = threading.Thread(target=self._listen, name="holdfast-post", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        try:
            for sample in self._subscriber:
                *_, sender, kind = str(sample.key_expr).split("/")
                self.receive(sender, kind, sample.payload.to_bytes())
        except zenoh.ZError:
            if not self._closed:
                raise

    def send(self, recipient: str, kind: str, payload: bytes) -> None:
        """Send over the reliable link; blocks while it is full, and returns also where nobody listens."""
        self._publisher(recipient, kind, True).put(payload)

    def send_paced(self, recipient: str, kind: str, payloads: Iterable[bytes], rate: float) -> None:
        """Send over the best-effort link, at no more than so many bytes a second."""
        publisher, start, sent, burst = self._publisher(recipient, kind, False), time.perf_counter(), 0, 0
        for payload in payloads:
            publisher.put(payload)
            sent, burst = sent + len(payload), burst + len(payload)
            if burst >= BURST:
                burst = 0
                time.sleep(max(0.0, start + sent / rate - time.perf_counter()))

    def _publisher(self, recipient: str, kind: str, reliable: bool) -> Any:
        with self._lock:
            at = recipient, kind, reliable
            if at not in self._publishers:
                self._publishers[at] = self.session.declare_publisher(
                    f"{ROOT}/{self.scope}/to/{recipient}/{self.name}/{kind}",
                    congestion_control=zenoh.CongestionControl.BLOCK,
                    reliability=zenoh.Reliability.RELIABLE if reliable else zenoh.Reliability.BEST_EFFORT,
                    express=not reliable,  # a datagram for each
                )
            return self._publishers[at]

    def stop(self) -> None:
        """Stop listening; the session stays open."""
        self._closed = True
        self._subscriber.undeclare()
        self._thread.join(timeout=5)

    def close(self) -> None:
        """Stop listening, and close the session with all its threads."""
        self.stop()
        self.session.close()
