"""What goes over the wire: small signed statements, and the bytes of tensors in chunks.

A statement is 64 bytes of Ed25519 signature and then msgpack of one of the types below; unknown fields, wrong types and
numbers out of bounds are refused. A parcel announces tensors with their shapes and the digest of every chunk, which
follow on their own. Nothing here executes, unpickles or allocates by what a peer says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta, Struct

from holdfast.errors import HoldfastError

__all__ = [
    "CHUNK",
    "DATAGRAM",
    "Addressed",
    "Again",
    "Ask",
    "Beat",
    "Begin",
    "Done",
    "End",
    "Go",
    "Hello",
    "Links",
    "MessageError",
    "Parcel",
    "Peer",
    "Ready",
    "Refusal",
    "Report",
    "Sent",
    "Signer",
    "Spec",
    "Statement",
    "Told",
    "Welcome",
    "opened",
    "sealed",
]

PROTOCOL = 2
CHUNK = 2**19
"""Bytes in a chunk on a reliable link."""
DATAGRAM = 1200
"""Bytes in a chunk on a best-effort link: one datagram that no network splits."""
MOST_STATEMENT = 2**21
MOST_ASKED = 100_000
"""Chunks that one statement asks for."""
SIGNATURE = 64

Count = Annotated[int, Meta(ge=0, lt=2**53)]
Node = Annotated[int, Meta(ge=0, lt=10_000_000)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
Run = Annotated[str, Meta(pattern=r"^[0-9a-f]{1,40}(-[0-9]{1,4})?\Z")]
Phase = Annotated[str, Meta(pattern=r"^[a-z]{1,16}\Z")]
Key = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Nodes = Annotated[list[Node], Meta(max_length=2**19)]
Numbers = Annotated[list[float], Meta(max_length=2**18)]
Samples = Annotated[list[Annotated[int, Meta(ge=0, lt=2**31)]], Meta(max_length=2**18)]


class MessageError(HoldfastError):
    """A message that is not what it must be; what it says is counted and forgotten."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class _Said(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=str.lower):
    """What every statement says: in which run, and who speaks."""

    run: Run
    sender: Name


class Addressed(_Said, frozen=True):
    """What only the process counts for that it names: nobody can pass it on to another.

    Args:
        to: its name.
    """

    to: Name


class Spec(Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """One tensor of a parcel.

    Args:
        name: the channel and the tensor, as ``channel.tensor``.
        dtype: as torch calls it, such as ``float32``.
        shape: rows first.
        columns: how many columns a decoded row has.
        ragged: whether the rows differ in length and stand one behind the other; the tensor after it holds the lengths.
    """

    name: Annotated[str, Meta(max_length=200)]
    dtype: Annotated[str, Meta(max_length=20)]
    shape: Annotated[list[Count], Meta(max_length=4)]
    columns: Count
    ragged: bool = False


class Parcel(Addressed, frozen=True):
    """The manifest of tensors that follow in chunks.

    Args:
        phase: what they are: ``broadcast``, ``update``, ``a…`` (what was asked for), ``peer``,
            ``final`` or ``models``.
        round: the round to which they belong.
        nodes: the rows, in order; of a broadcast, the nodes that are asked to work.
        weights: each row's weight.
        losses: each row's training loss.
        silent: nodes that worked and say nothing.
        silent_losses: their training losses.
        orders: of a broadcast, what the trigger's plan tells each node; nothing without a plan.
        missing: of a broadcast, by channel the nodes that are not sent it.
        lost: of a broadcast, the nodes that are gone, with the samples that each has reported.
        specs: the tensors.
        chunk: bytes in a chunk.
        digests: the BLAKE3 digest of every chunk, one after the other; none where each chunk is sealed on its own.
    """

    phase: Phase
    round: Count
    nodes: Nodes
    specs: Annotated[list[Spec], Meta(max_length=1000)]
    chunk: Annotated[int, Meta(ge=1, le=2**20)]
    digests: bytes
    weights: Numbers = []
    losses: Numbers = []
    silent: Nodes = []
    silent_losses: Numbers = []
    orders: Numbers = []
    missing: Annotated[dict[str, Nodes], Meta(max_length=1000)] = {}
    lost: Annotated[dict[Node, Samples], Meta(max_length=2**18)] = {}


class Hello(_Said, frozen=True):
    """A node asks to take part; the run is not known yet, so it names a fresh number of its own there."""

    protocol: Count
    version: Annotated[str, Meta(max_length=40)]
    instance: Run
    key: Key
    clock: float
    secret: Key
    rows: Annotated[str, Meta(max_length=10_000)] | None = None
    experiment: Key | None = None


class Peer(Struct, frozen=True, forbid_unknown_fields=True):
    """Another process of the run: its key and its rows, as ``0-9,12``."""

    key: Key
    rows: str


class Links(Struct, frozen=True, forbid_unknown_fields=True):
    """Which links the processes of a run keep.

    Args:
        lease: seconds of silence after which one counts as cut.
        best_effort: whether there are ones for datagrams besides.
        peers: whether nodes keep some among themselves.
    """

    lease: Annotated[float, Meta(gt=0.1, le=60)] = 1.0
    best_effort: bool = False
    peers: bool = False


class Welcome(_Said, frozen=True):
    """The coordinator lets a node take part: with this experiment, as these rows."""

    links: Links

    instance: Run
    key: Key
    secret: Key
    rows: str
    experiment: str


class Refusal(_Said, frozen=True):
    """The coordinator does not let a node take part, and says what would mend that."""

    instance: Run
    field: str
    required: str
    given: str
    remedy: str


class Begin(Addressed, frozen=True):
    """A variant begins, or goes on after a round; on graphs, who else takes part."""

    variant: str
    round: Count
    peers: dict[Name, Peer] = {}


class Go(Addressed, frozen=True):
    """Among peers: all are prepared; go on after a round."""

    round: Count


class Ready(_Said, frozen=True):
    """A node is prepared for the run, and remembers what it did in the rounds up to one."""

    instance: Run
    round: Count


class Report(_Said, frozen=True):
    """What nodes answer to the trigger's survey: for each the same number of float32, one node after the other."""

    instance: Run
    nodes: Nodes
    values: Annotated[bytes, Meta(max_length=2**21)]


class Sent(_Said, frozen=True):
    """All chunks of a parcel have been sent over a link that may lose some."""

    phase: Phase
    round: Count


class Ask(Addressed, frozen=True):
    """Nodes that kept silent shall speak, in a phase of that name, which begins with an ``a``."""

    phase: Annotated[str, Meta(pattern=r"^a[a-z]{3}\Z")]
    round: Count
    nodes: Nodes


class Again(_Said, frozen=True):
    """Chunks of a parcel that did not arrive whole shall be sent again, over the reliable link."""

    phase: Phase
    round: Count
    chunks: Annotated[list[Count], Meta(max_length=MOST_ASKED)]


class Beat(_Said, frozen=True):
    """A sign of life that says how many batches are computed."""

    instance: Run
    count: Count


class Told(_Said, frozen=True):
    """What a peer records of a round: (metric, nodes, values), and events as (kind, node, details in JSON)."""

    round: Count
    metrics: Annotated[list[tuple[str, Nodes, Numbers]], Meta(max_length=1000)]
    events: Annotated[list[tuple[str, Node | None, str]], Meta(max_length=100_000)]
    totals: dict[str, Count]


class Done(_Said, frozen=True):
    """What a node measured of the final model on its own samples: by metric, a value for each of its rows."""

    nodes: Nodes
    metrics: Annotated[dict[str, Numbers], Meta(max_length=1000)]


class End(Addressed, frozen=True):
    """The run is over, for the stated reason."""

    reason: Annotated[str, Meta(max_length=200)]


Statement = (
    Parcel | Hello | Welcome | Refusal | Begin | Go | Ready | Report | Sent | Ask | Again | Beat | Told | Done | End
)

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Statement)


class Signer(Protocol):
    """Who can sign."""

    def sign(self, statement: bytes) -> bytes:
        """The 64 bytes of a signature."""


def sealed(signer: Signer, statement: Statement) -> bytes:
    """A statement as it goes over the wire."""
    body = _ENCODER.encode(statement)
    return signer.sign(body) + body


def opened(envelope: bytes, verify: Callable[[Statement, bytes, bytes], bool]) -> Statement:
    """The statement that came over the wire.

    Args:
        envelope: what came.
        verify: whether the statement's sender signed these bytes so.

    Raises:
        MessageError: it is too long, malformed, or not signed by its sender.
    """
    if not SIGNATURE < len(envelope) <= MOST_STATEMENT:
        raise MessageError("malformed")
    signature, body = envelope[:SIGNATURE], envelope[SIGNATURE:]
    try:
        statement: Statement = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # ValidationError is a DecodeError
        raise MessageError("malformed") from error
    if not verify(statement, body, signature):
        raise MessageError("forged")
    return statement
