"""What the lossless codecs share: the bytes of encoded rows, laid out so that they compress, and rows again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from math import prod
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor

from holdfast.catalogue import Choice
from holdfast.codecs.base import Codec, Payload
from holdfast.errors import InputError
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["Lossless"]

Bytes = NDArray[np.uint8]
LENGTH = np.dtype(np.int32)
"""What the length of a ragged tensor takes among the bytes of a row."""


class Lossless(Codec):
    """Compresses the bytes of what the codec inside sends, which stays as it is; each row becomes one ragged ``blob``.

    The bytes of a row are the lengths of its ragged tensors, and then its tensors. A blob that is not what an honest
    sender makes arrives as NaN, and never takes more memory than the codec inside says a row can.

    Raises:
        InputError: the library is not installed, or the codec inside tells differences.
    """

    library: ClassVar[str]
    """The module that compresses."""

    codec: Annotated[Codec, Choice(Codec)] | None = Field(
        None, description="the codec whose bytes are compressed, or a list of them; float32 without one"
    )
    shuffle: bool = Field(
        True, description="whether the first bytes of all numbers stand together, then the second ones, and so on"
    )

    @field_validator("codec")
    @classmethod
    def _rows_inside(cls, codec: Codec | None) -> Codec | None:
        if codec is not None:
            codec.refuse_differences()
        return codec

    def model_post_init(self, context: Any) -> None:
        """Refuse to be made without the library."""
        imported(self.library, self.component_name())

    @abstractmethod
    def press(self, row: bytes) -> bytes:
        """The bytes of a row, compressed."""

    @abstractmethod
    def unpress(self, blob: bytes, most: int) -> bytes | None:
        """The bytes of a row again, at most so many; None for a blob that is broken or says more."""

    @abstractmethod
    def greatest(self, row: int) -> int:
        """How many bytes a row of that many bytes can become."""

    @property
    def adds_up(self) -> bool:
        """Whether the codec inside does."""
        return self._inner.adds_up

    @property
    def _inner(self) -> Codec:
        return self.codec or _Float32()

    def fitted(self, shapes: Sequence[tuple[int, ...]]) -> Self:
        """The codec inside fits these shapes."""
        return self.model_copy(update={"codec": self.codec.fitted(shapes)}) if self.codec else self

    def start(self, rows: int, columns: int) -> State:
        """What the codec inside remembers."""
        return self._inner.start(rows, columns)

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The new state of the codec inside, and ``blob`` (K, greatest length) uint8."""
        state, payload = self._inner.encode(state, x_KD, draws)
        blobs = [np.frombuffer(self.press(row), dtype=np.uint8) for row in _packed(payload, self.shuffle)]
        blob = np.zeros((len(blobs), max(map(len, blobs), default=0)), dtype=np.uint8)
        for row, content in zip(blob, blobs, strict=True):
            row[: len(content)] = content
        lengths = {"blob": torch.tensor(list(map(len, blobs)), dtype=torch.int64)}
        return state, Payload({"blob": torch.from_numpy(blob).to(x_KD.device)}, x_KD.shape[1], lengths)

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows, as the codec inside decodes them; NaN where a blob is broken."""
        parts, blob = _parts(self._inner.template(payload.columns)), payload.tensors["blob"]
        most = sum(part.most_bytes for part in parts)
        lengths = payload.lengths["blob"].tolist()
        honest = [
            row[:n] if 0 <= n <= len(row) else row[:0] for row, n in zip(blob.cpu().numpy(), lengths, strict=True)
        ]
        rows = [self.unpress(row.tobytes(), most) for row in honest]
        cut = [None if row is None else _cut(row, parts, self.shuffle) for row in rows]
        fit_K1 = torch.tensor([[row is not None] for row in cut], dtype=torch.bool).view(-1, 1).to(blob.device)
        inner = _joined(cut, parts, payload.columns, blob.device)
        return self._inner.decode(inner).where(fit_K1, torch.nan)

    def template(self, columns: int) -> Payload:
        """One row's payload, whose blob is as long as it can be."""
        most = self.greatest(sum(part.most_bytes for part in _parts(self._inner.template(columns))))
        return Payload({"blob": torch.zeros(1, most, dtype=torch.uint8)}, columns, {"blob": torch.tensor([most])})


def imported(library: str, codec: str) -> Any:
    """The module of a library that Holdfast does not install by itself.

    Raises:
        InputError: it is not installed.

    Example:
        >>> imported("no_such_library", "zstd")
        Traceback (most recent call last):
        holdfast.errors.InputError: name must name a codec whose library is installed, but 'zstd' was given. \
Install it with: pip install "holdfast[entropy]".
    """
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        remedy = 'Install it with: pip install "holdfast[entropy]".'
        raise InputError("name", "name a codec whose library is installed", codec, remedy) from error


class _Float32(Codec):
    """The rows as they are."""

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        return state, Payload({"values": x_KD.float()}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        return payload.tensors["values"]


# ---------------------------------------------------------------- from tensors to the bytes of rows, and back


@dataclass(frozen=True)
class _Part:
    """One tensor among the bytes of a row: its name, dtype, (greatest) shape, and whether its length is told."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    ragged: bool

    @property
    def most_bytes(self) -> int:
        """The bytes of the tensor at its greatest, with its length."""
        return prod(self.shape) * self.dtype.itemsize + self.ragged * LENGTH.itemsize


def _parts(template: Payload) -> list[_Part]:
    """The tensors of a row."""
    return [_Part(n, t.dtype, tuple(t.shape[1:]), n in template.lengths) for n, t in template.tensors.items()]


def _packed(payload: Payload, shuffle: bool) -> list[bytes]:
    """The bytes of each row."""
    elements = {name: _elements(tensor) for name, tensor in payload.tensors.items()}
    lengths = {name: lengths_K.tolist() for name, lengths_K in payload.lengths.items()}
    found = []
    for row in range(len(next(iter(elements.values())))):
        told = np.array([lengths[name][row] for name in elements if name in lengths], dtype=LENGTH)
        real = [e[row, : lengths[name][row]] if name in lengths else e[row] for name, e in elements.items()]
        found.append(b"".join([told.tobytes(), *(_turned(part, shuffle).tobytes() for part in real)]))
    return found


def _elements(tensor: Tensor) -> Bytes:
    """(K, numbers, bytes of each) of a tensor (K, …)."""
    flat = tensor.detach().cpu().reshape(len(tensor), prod(tensor.shape[1:])).contiguous()
    found: Bytes = flat.view(torch.uint8).view(*flat.shape, tensor.element_size()).numpy()
    return found


def _turned(elements: Bytes, shuffle: bool) -> Bytes:
    """All first bytes, then all second ones, and so on: of floats the exponents stand together, and compress."""
    return elements.T if shuffle else elements


def _cut(row: bytes, parts: Sequence[_Part], shuffle: bool) -> list[Bytes] | None:
    """The (numbers, bytes of each) of each tensor of a row; None if the bytes are not those of such a row."""
    head = LENGTH.itemsize * sum(part.ragged for part in parts)
    if len(row) < head:
        return None
    told = iter(np.frombuffer(row[:head], dtype=LENGTH).tolist())
    counts = [next(told) if part.ragged else prod(part.shape) for part in parts]
    if any(not 0 <= n <= prod(part.shape) for n, part in zip(counts, parts, strict=True)):
        return None
    ends = head + np.cumsum([n * part.dtype.itemsize for n, part in zip(counts, parts, strict=True)])
    if len(row) != ends[-1]:
        return None
    pieces = np.split(np.frombuffer(row, dtype=np.uint8)[head:], ends[:-1] - head)
    sizes = [part.dtype.itemsize for part in parts]
    return [p.reshape(s, -1).T if shuffle else p.reshape(-1, s) for p, s in zip(pieces, sizes, strict=True)]


def _joined(rows: Sequence[list[Bytes] | None], parts: Sequence[_Part], columns: int, device: torch.device) -> Payload:
    """The payload of rows that were cut; zeros for those that could not be."""
    payload = Payload({}, columns)
    for number, part in enumerate(parts):
        pieces = [np.zeros((0, part.dtype.itemsize), np.uint8) if row is None else row[number] for row in rows]
        longest = max(map(len, pieces), default=0) if part.ragged else prod(part.shape)
        whole = np.zeros((len(rows), longest, part.dtype.itemsize), dtype=np.uint8)
        for row, piece in zip(whole, pieces, strict=True):
            row[: len(piece)] = piece
        flat = torch.from_numpy(whole.reshape(-1)).view(part.dtype)
        shape = (longest,) if part.ragged else part.shape
        payload.tensors[part.name] = flat.view(len(rows), *shape).to(device)
        if part.ragged:
            payload.lengths[part.name] = torch.tensor(list(map(len, pieces)), dtype=torch.int64, device=device)
    return payload
