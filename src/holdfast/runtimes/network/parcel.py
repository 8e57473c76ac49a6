"""Tensors as they travel: cut into chunks, digested, and put together again where they arrive."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from blake3 import blake3
from numpy.typing import NDArray
from torch import Tensor

from holdfast.codecs import Payload
from holdfast.packet import Packet
from holdfast.runtimes.network.identity import COORDINATOR
from holdfast.runtimes.network.wire import CHUNK, DATAGRAM, MessageError, Parcel, Spec
from holdfast.types import IntArray

__all__ = [
    "Assembly",
    "Form",
    "check",
    "chunks_of",
    "digests_of",
    "form_of",
    "manifest_of",
    "packet_of",
    "specs_of",
    "tensors_of",
]

DIGEST = 32
MANY_CHUNKS = 16
"""From how many chunks on several threads digest them."""
_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2}
_BYTES |= {"int8": 1, "uint8": 1, "bool": 1}
MOST_WEIGHT = 2.0**53
"""Weights above it are refused: float32, in which they are added up, would know them as infinite."""
FLOATS = ("float64", "float32", "float16", "bfloat16")

Form = Mapping[str, Spec]
"""By name, what one row of each tensor must look like: its dtype, its shape without the row, and its columns."""


def specs_of(payloads: Mapping[str, Payload]) -> list[Spec]:
    """The specs of payloads, by channel."""
    return [
        Spec(f"{channel}.{name}", str(tensor.dtype).removeprefix("torch."), list(tensor.shape), payload.columns)
        for channel, payload in payloads.items()
        for name, tensor in payload.tensors.items()
    ]


def tensors_of(payloads: Mapping[str, Payload]) -> list[Tensor]:
    """The tensors of payloads, in the order of their specs."""
    return [tensor for payload in payloads.values() for tensor in payload.tensors.values()]


def form_of(payloads: Mapping[str, Payload]) -> Form:
    """What one row of payloads looks like."""
    return {spec.name: Spec(spec.name, spec.dtype, spec.shape[1:], spec.columns) for spec in specs_of(payloads)}


def bytes_of(spec: Spec) -> int:
    """The bytes of a tensor."""
    return math.prod(spec.shape) * _BYTES[spec.dtype]


def _views(tensors: Sequence[Tensor]) -> list[memoryview]:
    return [
        memoryview(t.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        if t.numel()
        else memoryview(b"")
        for t in tensors
    ]


def chunks_of(tensors: Sequence[Tensor], chunk: int = CHUNK) -> list[memoryview]:
    """The bytes of tensors in chunks, none of which holds parts of two tensors."""
    return [view[at : at + chunk] for view in _views(tensors) for at in range(0, len(view), chunk)]


def digests_of(chunks: Sequence[memoryview]) -> bytes:
    """The digests of chunks, one after the other."""
    if len(chunks) < MANY_CHUNKS:
        return b"".join(map(_digest, chunks))
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing needs no interpreter
        return b"".join(pool.map(_digest, chunks))


def _digest(chunk: memoryview) -> bytes:
    return blake3(chunk).digest()


def check(manifest: Parcel, form: Form, allowed: frozenset[int], rows: int, sealed: bool = False) -> None:
    """Whether a manifest announces what is expected of its sender, before a byte is allocated.

    Args:
        manifest: what was announced.
        form: what each row must look like.
        allowed: the nodes for which the sender may speak in this round.
        rows: how many rows each tensor must have.
        sealed: whether chunks are sealed one by one, and so have no digests.

    Raises:
        MessageError: it does not.
    """
    named = manifest.nodes + manifest.silent
    if len(set(named)) < len(named) or not allowed.issuperset(named) or manifest.nodes != sorted(manifest.nodes):
        raise MessageError("foreign rows")
    if manifest.sender != COORDINATOR and not _numbers_fit(manifest):
        raise MessageError("wrong weights")
    wanted = [[s.name, s.dtype, [rows, *s.shape], s.columns] for s in form.values()]
    if [[s.name, s.dtype, s.shape, s.columns] for s in manifest.specs] != (wanted if rows else []):
        raise MessageError("wrong shape")
    if manifest.chunk != (DATAGRAM if sealed else CHUNK):
        raise MessageError("wrong chunks")
    if len(manifest.digests) != (0 if sealed else DIGEST * _chunks(manifest)):
        raise MessageError("wrong chunks")


def _numbers_fit(manifest: Parcel) -> bool:
    lengths = (len(manifest.weights), len(manifest.losses), len(manifest.silent_losses))
    wanted = (len(manifest.nodes), len(manifest.nodes), len(manifest.silent))
    return lengths == wanted and all(0 <= weight <= MOST_WEIGHT for weight in manifest.weights)


def _chunks(manifest: Parcel) -> int:
    return sum(-(-bytes_of(spec) // manifest.chunk) for spec in manifest.specs)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a chunk belongs."""

    tensor: int
    start: int
    stop: int


class Assembly:
    """The tensors of a checked manifest, as their chunks arrive; a chunk counts once, and only if its digest is right.

    Example:
        >>> x = {"x": Payload({"values": torch.ones(1, 3)}, 3)}
        >>> chunks = chunks_of(tensors_of(x))
        >>> manifest = Parcel(run="0", sender="a", phase="peer", round=1, nodes=[0], specs=specs_of(x), chunk=CHUNK,
        ...                   digests=digests_of(chunks))
        >>> assembly = Assembly(manifest)
        >>> assembly.accept(0, bytes(chunks[0])), assembly.accept(0, bytes(chunks[0])), assembly.complete
        (True, False, True)
    """

    def __init__(self, manifest: Parcel, sealed: bool = False) -> None:
        self.manifest, self.sealed = manifest, sealed
        self.buffers = [np.empty(bytes_of(spec), dtype=np.uint8) for spec in manifest.specs]
        self.arrived = np.zeros(len(self.places), dtype=bool)
        self.left = len(self.places)

    @cached_property
    def places(self) -> list[_Place]:
        """Where each chunk belongs."""
        chunk, sizes = self.manifest.chunk, map(bytes_of, self.manifest.specs)
        return [_Place(n, at, min(at + chunk, s)) for n, s in enumerate(sizes) for at in range(0, s, chunk)]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.left == 0

    def accept(self, index: int, content: bytes | memoryview) -> bool:
        """Take a chunk; whether it was new.

        Raises:
            MessageError: there is no such chunk, or it is not the one that the manifest announces.
        """
        if not 0 <= index < len(self.places):
            raise MessageError("no such chunk")
        if self.arrived[index]:
            return False
        place = self.places[index]
        if len(content) != place.stop - place.start:
            raise MessageError("wrong chunk")
        if not self.sealed and blake3(content).digest() != self._digest(index):
            raise MessageError("wrong chunk")
        self.buffers[place.tensor][place.start : place.stop] = np.frombuffer(content, dtype=np.uint8)
        self.arrived[index] = True
        self.left -= 1
        return True

    def _digest(self, index: int) -> bytes:
        return self.manifest.digests[DIGEST * index : DIGEST * (index + 1)]

    def missing(self, floats: bool) -> list[int]:
        """The chunks that did not arrive: of tensors that can hold NaN, or of all others."""
        kinds = [spec.dtype in FLOATS for spec in self.manifest.specs]
        return [i for i in np.flatnonzero(~self.arrived).tolist() if kinds[self.places[i].tensor] is floats]

    def fill(self) -> int:
        """Put NaN where chunks of floating point tensors did not arrive; how many there were."""
        missing = self.missing(floats=True)
        for place in (self.places[index] for index in missing):
            spec = self.manifest.specs[place.tensor]
            width = _BYTES[spec.dtype]
            hole = torch.full(((place.stop - place.start) // width,), torch.nan, dtype=getattr(torch, spec.dtype))
            self.buffers[place.tensor][place.start : place.stop] = hole.view(torch.uint8).numpy()
        return len(missing)

    def payloads(self) -> dict[str, Payload]:
        """The tensors by channel; what did not arrive and was not filled is arbitrary."""
        found: dict[str, Payload] = {}
        for spec, buffer in zip(self.manifest.specs, self.buffers, strict=True):
            channel, _, name = spec.name.partition(".")
            dtype = getattr(torch, spec.dtype)
            flat = _flat(buffer, dtype)
            payload = found.setdefault(channel, Payload({}, spec.columns))
            payload.tensors[name] = flat.view(spec.shape)
        return found


def _flat(buffer: NDArray[np.uint8], dtype: torch.dtype) -> Tensor:
    if dtype is torch.bool:  # a peer may have sent bytes that are no truth values
        return torch.from_numpy(buffer != 0)
    return torch.from_numpy(buffer).view(dtype) if len(buffer) else torch.empty(0, dtype=dtype)


def manifest_of(packet: Packet | None, run: str, sender: str, phase: str, round: int, chunk: int = CHUNK) -> Parcel:
    """What a manifest says of a packet, or of there being none; `Outgoing.of` adds the tensors."""
    return Parcel(
        run=run,
        sender=sender,
        phase=phase,
        round=round,
        nodes=packet.nodes_K.tolist() if packet else [],
        weights=packet.weights_K.tolist() if packet else [],
        losses=packet.losses_K.tolist() if packet else [],
        specs=[],
        chunk=chunk,
        digests=b"",
    )


def packet_of(manifest: Parcel, payloads: dict[str, Payload]) -> Packet:
    """The packet of a parcel whose tensors are here."""
    nodes_K: IntArray = np.array(manifest.nodes, dtype=np.int64)
    weights_K, losses_K = torch.tensor(manifest.weights), torch.tensor(manifest.losses)
    return Packet(manifest.round, nodes_K, payloads, weights_K, losses_K)
