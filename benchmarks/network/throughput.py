"""How fast an update of 100 MB gets from a node's memory into the coordinator's, checked, against bytes without checks.

Both ways share the two processes, their sessions and the link, and take turns. The bare way cuts the same bytes into
chunks before the clock starts, and reads each at the other end; Holdfast digests, signs, frames, checks and assembles.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import queue
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import torch
import zenoh
from benchmarks import harness
from benchmarks.network.outcome import Aim, Outcome

from holdfast.codecs import Payload
from holdfast.runtimes.network.desk import Arrived, Desk, Expectation
from holdfast.runtimes.network.identity import COORDINATOR, Identity, verify
from holdfast.runtimes.network.outgoing import Outgoing
from holdfast.runtimes.network.parcel import form_of, packet_of
from holdfast.runtimes.network.post import BUFFERED, Address, Post, open_session
from holdfast.runtimes.network.wire import CHUNK, Parcel, Statement

FLOATS = 25_000_000
BYTES = 4 * FLOATS
NODE, SCOPE, RUN, BARE = "node-0", "throughput", "0", "bare"
OURS = 0  # in place of a size of chunks
BARE_CHUNKS = (CHUNK, 2**20)
TIME_LIMIT = 60.0  # seconds for one transfer
AIM = Aim(f"at least 0.6 x a bare transfer in chunks of {CHUNK // 1024} KiB", 0.6)


def update() -> dict[str, Payload]:
    """What is sent: one row of float32."""
    source = torch.Generator().manual_seed(0)
    return {"update": Payload({"values": torch.rand(1, FLOATS, generator=source)}, FLOATS)}


# ---------------------------------------------------------------- the node's process


def node(endpoint: str, link: Connection) -> None:
    """Send what the coordinator's process asks for, and tell when it began."""
    identity, payloads = Identity.fresh(NODE), update()
    link.send(identity.public)
    content = payloads["update"].tensors["values"].numpy().tobytes()
    with open_session("peer", connect=[endpoint]) as session:
        post = Post(session, NODE, SCOPE, lambda sender, kind, payload: None)
        bare: Any = session.declare_publisher(BARE, congestion_control=zenoh.CongestionControl.BLOCK)
        while not bare.matching_status.matching:
            time.sleep(0.01)
        link.send("ready")
        for chunk, round in iter(link.recv, None):
            pieces = [content[at : at + chunk] for at in range(0, BYTES, chunk)] if chunk else []
            link.send(time.monotonic())
            if chunk:
                for piece in pieces:
                    bare.put(piece)
            else:
                Outgoing.of(identity, payloads, _about(round)).send(post, COORDINATOR)
        post.stop()


def _about(round: int) -> Parcel:
    return Parcel(
        run=RUN,
        sender=NODE,
        to=COORDINATOR,
        phase="update",
        round=round,
        nodes=[0],
        weights=[1.0],
        losses=[0.0],
        specs=[],
        chunk=CHUNK,
        digests=b"",
    )


# ---------------------------------------------------------------- the coordinator's process


@dataclass
class Receiver:
    """The coordinator's end.

    Args:
        session: its zenoh session.
        link: to the node's process.
        public: the node's key.
    """

    session: zenoh.Session
    link: Connection
    public: str
    round: int = 0
    inbox: queue.SimpleQueue[Arrived | Statement] = field(default_factory=queue.SimpleQueue)

    def __post_init__(self) -> None:
        self.payloads = update()
        self.desk = Desk(
            lambda statement, body, signature: verify(self.public, body, signature),
            self.inbox.put,
            lambda sender, again: None,
            COORDINATOR,
            RUN,
        )
        self.post = Post(self.session, COORDINATOR, SCOPE, self.desk.receive)
        inbox: Any = zenoh.handlers.FifoChannel(BUFFERED)
        self.bare = self.session.declare_subscriber(BARE, inbox)

    def take(self, chunk: int) -> float:
        """Megabytes a second of one transfer: of Holdfast's, or of a bare one in such chunks."""
        self.round += 1
        self.desk.forget(self.round)
        self.desk.expect(NODE, "update", self.round, Expectation(form_of(self.payloads), frozenset({0})))
        self.link.send((chunk, self.round))
        start = float(self.link.recv())
        if chunk:
            self._read()
        else:
            self._decode()
        return BYTES / 1e6 / (time.monotonic() - start)

    def _read(self) -> None:
        left = BYTES
        while left:
            left -= len(self.bare.recv().payload.to_bytes())

    def _decode(self) -> None:
        arrived = self.inbox.get(timeout=TIME_LIMIT)
        assert isinstance(arrived, Arrived), arrived
        values = packet_of(arrived.manifest, arrived.payloads).payloads["update"].tensors["values"]
        assert torch.equal(values[:, -1], self.payloads["update"].tensors["values"][:, -1])


@contextlib.contextmanager
def both_ends() -> Iterator[Receiver]:
    """The two processes, joined."""
    address = Address("127.0.0.1", 0).settled()
    ours, theirs = mp.get_context("spawn").Pipe()
    process = mp.get_context("spawn").Process(target=node, args=(address.endpoint(False), theirs), daemon=True)
    process.start()
    try:
        public = ours.recv()
        with open_session("router", [address.endpoint(False)]) as session:
            receiver = Receiver(session, ours, public)
            assert ours.recv() == "ready"
            yield receiver
            ours.send(None)
            process.join(TIME_LIMIT)
            receiver.post.stop()
    finally:
        process.kill()


def measure(quick: bool) -> Outcome:
    """Holdfast and the bare ways in turn."""
    names = {OURS: "holdfast"} | {chunk: f"bare, {chunk // 1024} KiB" for chunk in BARE_CHUNKS}
    speeds: dict[int, list[float]] = {way: [] for way in names}
    with both_ends() as receiver:
        for repeat in range(1 + (3 if quick else 9)):
            for way in names:
                speed = receiver.take(way)
                speeds[way] += [speed] if repeat else []  # the first of each warms up
    medians = {way: statistics.median(found) for way, found in speeds.items()}
    ratios = {way: statistics.median(a / b for a, b in zip(speeds[OURS], speeds[way], strict=True)) for way in names}
    rows = [[names[way], f"{medians[way]:.0f}", f"{ratios[way]:.2f}"] for way in names]
    table = harness.table(["one update of 100 MB", "MB/s", "holdfast ÷ this"], rows)
    return Outcome(table, [AIM.verdict(ratios[CHUNK])], {names[way]: speeds[way] for way in names})
