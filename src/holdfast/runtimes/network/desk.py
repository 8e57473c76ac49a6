"""The desk: what comes is checked, put together and handed on; what is not as it must be is counted and forgotten.

It holds in memory no more than the rows that it was told to expect, one message of the post, and `STRAYS` bytes of
chunks that overtook their manifest.
"""

from __future__ import annotations

import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from holdfast.codecs import Payload
from holdfast.runtimes.network.identity import COORDINATOR
from holdfast.runtimes.network.parcel import Assembly, Form, check
from holdfast.runtimes.network.seal import Seal
from holdfast.runtimes.network.wire import (
    MOST_ASKED,
    Addressed,
    Again,
    Ask,
    Beat,
    Begin,
    End,
    Go,
    Hello,
    MessageError,
    Parcel,
    Refusal,
    Sent,
    Statement,
    Welcome,
    opened,
)

__all__ = ["ANY_ROUND", "CHUNKS", "STATEMENTS", "Arrived", "Desk", "Expectation", "framed"]

STATEMENTS, CHUNKS = "s", "c"
"""The two kinds of messages."""
ANY_ROUND = -1
"""Stands for all rounds that are not over."""
STRAYS = 2**24
STRAY = 512
"""Bytes that a stray chunk takes besides its content, so that empty ones are bounded too."""
GRACE = 0.1
"""Seconds of quiet after which datagrams that have not come are lost."""
AGAIN = 3
"""How often a damaged chunk is asked for again."""

_ORDERS = (Begin, Go, Ask, End)
"""What only the coordinator may say."""
_AT_THE_DOOR = (Hello, Welcome, Refusal)
"""What is never sent by post."""
_FRAME = struct.Struct("<16sII")


def framed(phase: str, round: int, index: int, content: bytes | memoryview) -> bytes:
    """A chunk with what says where it belongs."""
    return _FRAME.pack(phase.encode(), round, index) + content


@dataclass(frozen=True)
class Expectation:
    """What a sender may send.

    Args:
        form: what each row must look like.
        nodes: the rows for which it may speak.
        seal: opens chunks that are sealed one by one, of a best-effort link.
        may_lose: whether a sealed parcel counts although parts of floating point tensors are missing.
        single: whether there is one row whatever nodes are named, and perhaps not all channels, as in a broadcast.
    """

    form: Form
    nodes: frozenset[int]
    seal: Seal | None = None
    may_lose: bool = False
    single: bool = False


@dataclass(frozen=True)
class Arrived:
    """A parcel that is whole, or as whole as it will be.

    Args:
        manifest: what was announced.
        payloads: its tensors by channel.
        holes: how many chunks are missing.
    """

    manifest: Parcel
    payloads: dict[str, Payload]
    holes: int = 0


Address = tuple[str, str, int]
"""(sender, phase, round)."""


@dataclass
class Desk:
    """Receives for one process.

    Args:
        verify: whether a statement's sender signed these bytes so.
        put: where whole parcels and all other statements go.
        again: asks a sender for chunks again.
        name: the process's.
        run: the run under way; statements of any other are foreign.
        scope: the session of the coordinator to which the next run must belong; any without it.
    """

    verify: Callable[[Statement, bytes, bytes], bool]
    put: Callable[[Arrived | Statement], None]
    again: Callable[[str, Again], None]
    name: str
    run: str = ""
    scope: str = ""
    dropped: Counter[str] = field(default_factory=Counter)
    _expected: dict[Address, Expectation] = field(default_factory=dict)
    _open: dict[Address, Assembly] = field(default_factory=dict)
    _closed: set[Address] = field(default_factory=set)
    _asked: Counter[tuple[Address, int]] = field(default_factory=Counter)
    _strays: dict[Address, list[tuple[int, bytes | memoryview]]] = field(default_factory=dict)
    _all_sent: set[Address] = field(default_factory=set)
    _touched: dict[Address, float] = field(default_factory=dict)
    _stray_bytes: int = 0
    _over: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    # ------------------------------------------------------------ what may come

    def begin(self, run: str) -> None:
        """Expect nothing but what belongs to a run."""
        with self._lock:
            self.run = run
            self.forget(2**62)
            self._expected.clear()
            self._over = 0

    def expect(self, sender: str, phase: str, round: int, expectation: Expectation) -> None:
        """A sender may now send this, once."""
        with self._lock:
            self._expected[sender, phase, round] = expectation

    def restart(self, at: Address) -> None:
        """Expect a parcel from its beginning: its sender has begun anew."""
        with self._lock:
            self._open.pop(at, None)
            self._strays.pop(at, None)
            self._closed.discard(at)

    def forget(self, before: int) -> None:
        """Expect nothing more of earlier rounds."""
        with self._lock:
            self._over = before
            for table in (self._expected, self._open, self._strays):
                for at in [at for at in table if ANY_ROUND < at[2] < before]:
                    table.pop(at)
            self._closed = {at for at in self._closed if at[2] >= before}
            self._all_sent &= self._open.keys()
            self._touched = {at: then for at, then in self._touched.items() if at in self._open}
            self._asked = Counter({at: n for at, n in self._asked.items() if at[0][2] >= before})
            self._stray_bytes = sum(STRAY + len(c) for strays in self._strays.values() for _, c in strays)

    def take_dropped(self) -> Counter[str]:
        """What was dropped since the last time, by reason."""
        with self._lock:
            dropped, self.dropped = self.dropped, Counter()
            return dropped

    # ------------------------------------------------------------ what comes

    def receive(self, sender: str, kind: str, payload: bytes) -> None:
        """Take a message; it never raises, whatever came."""
        with self._lock:
            try:
                if kind == STATEMENTS:
                    self._statement(sender, payload)
                elif kind == CHUNKS:
                    self._chunk(sender, payload)
                else:
                    raise MessageError("malformed")
            except MessageError as rejected:
                self.dropped[rejected.reason] += 1

    def _statement(self, sender: str, payload: bytes) -> None:
        statement = opened(payload, self.verify)
        if statement.sender != sender:
            raise MessageError("forged")
        if isinstance(statement, _AT_THE_DOOR) or (isinstance(statement, _ORDERS) and sender != COORDINATOR):
            raise MessageError("not for the sender to say")
        if isinstance(statement, Addressed) and statement.to != self.name:
            raise MessageError("for another")
        if isinstance(statement, Beat) and statement.run != self.run:
            return  # of a variant that is over
        if self.run and statement.run != self.run and not (isinstance(statement, Begin) and self._is_next(statement)):
            raise MessageError("foreign run")
        if isinstance(statement, Parcel):
            self._announced(statement)
        elif isinstance(statement, Sent):
            self._all_sent.add((statement.sender, statement.phase, statement.round))
        else:
            self.put(statement)

    def _is_next(self, begin: Begin) -> bool:
        """Whether a run comes after the one under way, or is a new coordinator's; an earlier one is a replay."""
        (scope, _, number), (own, _, under_way) = begin.run.partition("-"), self.run.partition("-")
        if scope == own:
            return int(number or 0) > int(under_way or 0)
        return not self.scope or scope == self.scope

    def _announced(self, manifest: Parcel) -> None:
        at = manifest.sender, manifest.phase, manifest.round
        if at in self._closed or at in self._open:
            raise MessageError("duplicate")
        expected = self._expectation(at)
        if expected is None:
            raise MessageError("unexpected")
        rows = 1 if expected.single else len(manifest.nodes)
        check(manifest, expected.form, expected.nodes, rows, expected.seal is not None, partial=expected.single)
        self._all_sent.discard(at)
        self._open[at] = Assembly(manifest, expected.form, sealed=expected.seal is not None)
        for index, content in self._strays.pop(at, ()):
            self._stray_bytes -= STRAY + len(content)
            self._accept(at, index, content)
        self._close_if_complete(at)

    def _expectation(self, at: Address) -> Expectation | None:
        sender, phase, round = at
        return self._expected.get(at) or (
            self._expected.get((sender, phase, ANY_ROUND)) if round >= self._over else None
        )

    def _chunk(self, sender: str, payload: bytes) -> None:
        if len(payload) < _FRAME.size:
            raise MessageError("malformed")
        phase, round, index = _FRAME.unpack_from(payload)
        at = sender, phase.rstrip(b"\0").decode("ascii", "replace"), round
        if at in self._closed:
            raise MessageError("duplicate")
        content = memoryview(payload)[_FRAME.size :]
        if at not in self._open:
            self._stray(at, index, content)
            return
        self._accept(at, index, content)
        self._close_if_complete(at)

    def _stray(self, at: Address, index: int, content: bytes | memoryview) -> None:
        """Keep a chunk that overtook its manifest, where one is expected and there is room."""
        size = STRAY + len(content)
        if self._expectation(at) is None or self._stray_bytes + size > STRAYS:
            raise MessageError("unexpected")
        self._strays.setdefault(at, []).append((index, content))
        self._stray_bytes += size

    def _accept(self, at: Address, index: int, content: bytes | memoryview) -> None:
        expected = self._expectation(at)
        seal = expected.seal if expected else None
        try:
            clear = seal.open(*at[1:], index, content) if seal else content
            if not self._open[at].accept(index, clear):
                self.dropped["duplicate"] += 1
            self._touched[at] = time.monotonic()
        except MessageError as rejected:
            self.dropped[rejected.reason] += 1
            if rejected.reason == "wrong chunk" and not seal:
                self._ask_again(at, [index])

    def _ask_again(self, at: Address, chunks: list[int]) -> None:
        """Ask for chunks again, each a bounded number of times."""
        wanted = [index for index in chunks if self._asked[at, index] < AGAIN][:MOST_ASKED]
        self._asked.update((at, index) for index in wanted)
        if wanted:
            sender, phase, round = at
            self.again(sender, Again(run=self.run, sender=self.name, phase=phase, round=round, chunks=wanted))

    def _close_if_complete(self, at: Address) -> None:
        if self._open[at].complete:
            self._close(at)

    def _close(self, at: Address) -> None:
        assembly = self._open.pop(at)
        self._closed.add(at)
        holes = assembly.fill()
        self.put(Arrived(assembly.manifest, assembly.payloads(), holes))

    # ------------------------------------------------------------ what has not come

    def unfinished(self) -> list[Address]:
        """The parcels of which chunks are missing."""
        with self._lock:
            return list(self._open)

    def tend(self, now: float) -> None:
        """See to parcels of which all datagrams were sent and none has come for a while; to be called often."""
        with self._lock:
            quiet = [at for at in self._all_sent if now > self._touched.get(at, 0.0) + GRACE]
            for at in quiet:
                self._all_sent.discard(at)
                try:
                    if at in self._open:
                        self._settle(at)
                except MessageError as rejected:
                    self.dropped[rejected.reason] += 1

    def _settle(self, at: Address) -> None:
        """Ask again for chunks that cannot be done without; where nothing but holes is left, take what there is."""
        assembly, expected = self._open[at], self._expectation(at)
        may_lose = expected is not None and expected.may_lose
        wanted = assembly.missing(floats=False) + ([] if may_lose else assembly.missing(floats=True))
        if wanted:
            self._ask_again(at, wanted)
        else:
            self._close(at)
