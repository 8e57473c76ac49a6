"""Tensors as they travel: cut into chunks, digested, and put together again where they arrive."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
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
LENGTHS = "#"
"""What follows the name of a ragged tensor in the name of its rows' lengths."""
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
        Spec(f"{channel}.{name}", str(tensor.dtype).removeprefix("torch."), list(tensor.shape), columns, ragged)
        for channel, name, tensor, columns, ragged in _travelling(payloads)
    ]


def tensors_of(payloads: Mapping[str, Payload]) -> list[Tensor]:
    """The tensors of payloads, in the order of their specs."""
    return [tensor for _, _, tensor, _, _ in _travelling(payloads)]


def _travelling(payloads: Mapping[str, Payload]) -> Iterator[tuple[str, str, Tensor, int, bool]]:
    """(channel, name, tensor, columns, ragged) of what travels: of ragged tensors what is real, then the lengths."""
    for channel, payload in payloads.items():
        for name, tensor in payload.tensors.items():
            lengths_K = payload.lengths.get(name)
            if lengths_K is None:
                yield channel, name, tensor, payload.columns, False
            else:
                real = torch.arange(tensor.shape[1], device=tensor.device) < lengths_K.to(tensor.device).unsqueeze(1)
                yield channel, name, tensor[real], payload.columns, True
                yield channel, name + LENGTHS, lengths_K.int(), payload.columns, False


def form_of(payloads: Mapping[str, Payload]) -> Form:
    """What one row of payloads looks like; of ragged tensors the longest row."""
    found = {}
    for spec in specs_of(payloads):  # a ragged tensor of one row is as long as that row
        shape = spec.shape if spec.ragged else spec.shape[1:]
        found[spec.name] = Spec(spec.name, spec.dtype, shape, spec.columns, spec.ragged)
    return found


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


def check(
    manifest: Parcel, form: Form, allowed: frozenset[int], rows: int, sealed: bool = False, partial: bool = False
) -> None:
    """Whether a manifest announces what is expected of its sender, before a byte is allocated.

    Args:
        manifest: what was announced.
        form: what each row must look like.
        allowed: the nodes for which the sender may speak in this round.
        rows: how many rows each tensor must have.
        sealed: whether chunks are sealed one by one, and so have no digests.
        partial: whether channels may be missing.

    Raises:
        MessageError: it does not.
    """
    named = manifest.nodes + manifest.silent
    if len(set(named)) < len(named) or not allowed.issuperset(named) or manifest.nodes != sorted(manifest.nodes):
        raise MessageError("foreign rows")
    if manifest.sender != COORDINATOR and not _numbers_fit(manifest):
        raise MessageError("wrong weights")
    if not _fits(manifest.specs, _wanted(manifest, form, partial) if rows else [], rows):
        raise MessageError("wrong shape")
    if manifest.chunk != (DATAGRAM if sealed else CHUNK):
        raise MessageError("wrong chunks")
    if len(manifest.digests) != (0 if sealed else DIGEST * _chunks(manifest)):
        raise MessageError("wrong chunks")


def _wanted(manifest: Parcel, form: Form, partial: bool) -> list[Spec]:
    """The tensors that must be there: all, or all of those channels of which there is any."""
    there = {spec.name.partition(".")[0] for spec in manifest.specs}
    return [spec for spec in form.values() if not partial or spec.name.partition(".")[0] in there]


def _fits(specs: Sequence[Spec], wanted: Sequence[Spec], rows: int) -> bool:
    """Whether tensors of so many rows are as wanted; of ragged ones, whether they are not too long."""
    if len(specs) != len(wanted):
        return False
    for spec, form in zip(specs, wanted, strict=True):
        fits = len(spec.shape) == 1 and spec.shape[0] <= rows * form.shape[0] if form.ragged else None
        if not (spec.shape == [rows, *form.shape] if fits is None else fits):
            return False
    known = [(s.name, s.dtype, s.columns, s.ragged) for s in wanted]
    return [(s.name, s.dtype, s.columns, s.ragged) for s in specs] == known


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
        >>> manifest = Parcel(run="0", sender="a", to="b", phase="peer", round=1, nodes=[0], specs=specs_of(x),
        ...                   chunk=CHUNK, digests=digests_of(chunks))
        >>> assembly = Assembly(manifest, form_of(x))
        >>> assembly.accept(0, bytes(chunks[0])), assembly.accept(0, bytes(chunks[0])), assembly.complete
        (True, False, True)
    """

    def __init__(self, manifest: Parcel, form: Form, sealed: bool = False) -> None:
        self.manifest, self.form, self.sealed = manifest, form, sealed
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
        """The tensors by channel; what did not arrive and was not filled is arbitrary.

        Raises:
            MessageError: the lengths of a ragged tensor are not those of its rows.
        """
        found: dict[str, Payload] = {}
        tensors = [
            _flat(buffer, getattr(torch, spec.dtype)).view(spec.shape)
            for spec, buffer in zip(self.manifest.specs, self.buffers, strict=True)
        ]
        for at, spec in enumerate(self.manifest.specs):
            channel, _, name = spec.name.partition(".")
            payload = found.setdefault(channel, Payload({}, spec.columns))
            if spec.ragged:
                payload.lengths[name] = tensors[at + 1].long()
                payload.tensors[name] = _padded(tensors[at], payload.lengths[name], self.form[spec.name].shape[0])
            elif not name.endswith(LENGTHS):
                payload.tensors[name] = tensors[at]
        return found


def _padded(flat: Tensor, lengths_K: Tensor, most: int) -> Tensor:
    """The rows that stand one behind the other, (K, greatest length), which is refused above what a row may have."""
    if bool(((lengths_K < 0) | (lengths_K > most)).any()) or int(lengths_K.sum()) != len(flat):
        raise MessageError("wrong lengths")
    width = int(lengths_K.max()) if len(lengths_K) else 0
    padded = flat.new_zeros(len(lengths_K), width)
    padded[torch.arange(width) < lengths_K.unsqueeze(1)] = flat
    return padded


def _flat(buffer: NDArray[np.uint8], dtype: torch.dtype) -> Tensor:
    if dtype is torch.bool:  # a peer may have sent bytes that are no truth values
        return torch.from_numpy(buffer != 0)
    return torch.from_numpy(buffer).view(dtype) if len(buffer) else torch.empty(0, dtype=dtype)


def manifest_of(
    packet: Packet | None, run: str, sender: str, to: str, phase: str, round: int, chunk: int = CHUNK
) -> Parcel:
    """What a manifest says of a packet, or of there being none; `Outgoing.of` adds the tensors."""
    return Parcel(
        run=run,
        sender=sender,
        to=to,
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
