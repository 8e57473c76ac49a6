"""The contract of codecs, and their composition."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from holdfast.catalogue import build
from holdfast.component import Component
from holdfast.errors import InputError
from holdfast.seeding import Draws
from holdfast.types import IntArray, State

__all__ = ["Chain", "Codec", "Payload"]

LENGTH_BYTES = 4
"""What saying the length of a ragged row takes on the wire."""


@dataclass(frozen=True)
class Payload:
    """Encoded rows: named tensors, each with one row for each node first.

    Args:
        tensors: what goes over the wire; ``values`` holds the numbers that a next codec may encode further.
        columns: D, how many columns a decoded row has.
        lengths: of ragged tensors, which are (K, greatest length): (K,) int64, how many elements of each row are real;
            the rest is padding, holds zeros, and is not sent.

    Example:
        >>> ragged = Payload({"values": torch.tensor([[1.0, 2.0], [3.0, 0.0]])}, 9, {"values": torch.tensor([2, 1])})
        >>> ragged.bytes_K  # the values of each row, and four bytes that say how many they are
        array([12,  8])
    """

    tensors: dict[str, Tensor]
    columns: int
    lengths: dict[str, Tensor] = field(default_factory=dict)

    def rows(self, index: IntArray | Tensor) -> Payload:
        """The payload of some of the rows."""
        chosen = torch.as_tensor(index)
        tensors = {name: t[chosen.to(t.device)] for name, t in self.tensors.items()}
        return replace(self, tensors=tensors, lengths={n: k[chosen.to(k.device)] for n, k in self.lengths.items()})

    @property
    def bytes_K(self) -> IntArray:
        """(K,) the bytes of each row's tensors; the header that names them is counted apart."""
        rows = len(next(iter(self.tensors.values())))
        found_K = np.zeros(rows, dtype=np.int64)
        for name, tensor in self.tensors.items():
            if name in self.lengths:
                found_K += LENGTH_BYTES + tensor.element_size() * self.lengths[name].cpu().numpy()
            else:
                found_K += math.prod(tensor.shape[1:]) * tensor.element_size()
        return found_K


class Codec(Component):
    """Turns rows into fewer bytes and back; it states the bytes by really producing them.

    `decode` is a pure function of the payload, so any receiver can run it. Values that are not finite survive as values
    that are not finite: a codec never turns a broken row into a plausible one.
    """

    family: ClassVar[str] = "codecs"

    differences: ClassVar[bool] = False
    """Whether a payload tells the difference to what the receiver holds, instead of the row itself."""

    @property
    def adds_up(self) -> bool:
        """Whether what one row has lost is added to the next, so that rows must be increments and not models."""
        return False

    def refuse_differences(self) -> None:
        """Stand inside another codec, which tells rows.

        Raises:
            InputError: it tells differences, which the receiver must know of.
        """
        if self.differences:
            name = self.component_name()
            remedy = f"Write {{name: {name}, codec: [...]}}, with the others inside."
            raise InputError("", "hold no codec of differences inside another codec or in a list", name, remedy)

    def fitted(self, shapes: Sequence[tuple[int, ...]]) -> Codec:
        """The codec for rows that hold tensors of these shapes, one after the other; itself if it does not matter."""
        return self

    def start(self, rows: int, columns: int) -> State:
        """What nodes that speak for the first time remember, one row for each."""
        return {}

    @abstractmethod
    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The new state and the payload of the (K, D) rows."""

    @abstractmethod
    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows of a payload, up to the codec's stated error."""

    def template(self, columns: int) -> Payload:
        """One row's payload, whose names, dtypes and shapes any row of that many columns has.

        A ragged tensor has its greatest width there: a codec with one overrides this.

        Example:
            >>> from holdfast.codecs import TopK
            >>> TopK(fraction=0.5).template(4).tensors["indices"].shape
            torch.Size([1, 2])
        """
        draws = Draws(0, "template", np.zeros(1, dtype=np.int64), 0)
        return self.encode(self.start(1, columns), torch.zeros(1, columns), draws)[1]

    def width(self, columns: int) -> int:
        """How many ``values`` the codec leaves of a row of that many columns; all of them by default."""
        return columns

    @staticmethod
    def chain(stages: Sequence[object]) -> Codec:
        """Codecs applied in order, each to the ``values`` of the one before."""
        if not stages:
            raise InputError("", "name at least one codec", list(stages), "Leave codec out to send float32.")
        codecs = tuple(build(Codec, stage) for stage in stages)
        if len(codecs) > 1:
            for codec in codecs:
                codec.refuse_differences()
        for codec in codecs[:-1]:
            if "values" not in codec.template(8).tensors:
                name = codec.component_name()
                raise InputError("", "leave values for the next codec", name, f"Put {name} last.")
        for codec in codecs[1:]:
            if codec.start(1, 1):
                remedy = "Put it first, or around the others: {name: error_feedback, codec: [...]}."
                raise InputError("", "hold a codec with memory only in the first place", codec.component_name(), remedy)
        return Chain(stages=codecs) if len(codecs) > 1 else codecs[0]


class Chain(Codec):
    """Codecs in order: each encodes the ``values`` that the one before left, such as top-k and then int8."""

    stages: tuple[Codec, ...]

    @property
    def adds_up(self) -> bool:
        """Whether the first stage does."""
        return self.stages[0].adds_up

    def fitted(self, shapes: Sequence[tuple[int, ...]]) -> Codec:
        """The chain whose first stage, which alone sees whole rows, fits these shapes."""
        first, *others = self.stages
        return Chain(stages=(first.fitted(shapes), *others))

    def start(self, rows: int, columns: int) -> State:
        """Each stage's own beginning; a stage with memory must come first, where it sees whole rows."""
        return {f"0.{key}": value for key, value in self.stages[0].start(rows, columns).items()}

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """Each stage in turn; the tensors of stage i are named ``i.…``."""
        states: State = {}
        tensors: dict[str, Tensor] = {}
        lengths: dict[str, Tensor] = {}
        values, last = x_KD, len(self.stages) - 1
        for number, stage in enumerate(self.stages):
            own, payload = stage.encode(_of(number, state), values, draws)
            states |= {f"{number}.{key}": value for key, value in own.items()}
            named = dict(payload.tensors)
            if number < last:
                values = named.pop("values")
            tensors |= {f"{number}.{name}": tensor for name, tensor in named.items()}
            lengths |= {f"{number}.{name}": lengths_K for name, lengths_K in payload.lengths.items()}
        return states, Payload(tensors, x_KD.shape[1], lengths)

    def decode(self, payload: Payload) -> Tensor:
        """Each stage backwards."""
        widths = self._widths(payload.columns)
        values: Tensor | None = None
        for number in reversed(range(len(self.stages))):
            named, lengths = _of(number, payload.tensors), _of(number, payload.lengths)
            if values is not None:
                named["values"] = values
            values = self.stages[number].decode(Payload(named, widths[number], lengths))
        assert values is not None
        return values

    def template(self, columns: int) -> Payload:
        """One row's payload: what each stage leaves beside the values that the next one takes."""
        found, last = Payload({}, columns), len(self.stages) - 1
        for number, (stage, width) in enumerate(zip(self.stages, self._widths(columns), strict=True)):
            own = stage.template(width)
            kept = {name: tensor for name, tensor in own.tensors.items() if name != "values" or number == last}
            found.tensors.update({f"{number}.{name}": tensor for name, tensor in kept.items()})
            found.lengths.update({f"{number}.{name}": lengths_K for name, lengths_K in own.lengths.items()})
        return found

    def _widths(self, columns: int) -> list[int]:
        """How many columns each stage sees."""
        widths = [columns]
        for stage in self.stages[:-1]:
            widths.append(stage.width(widths[-1]))
        return widths

    def width(self, columns: int) -> int:
        """How many values the last stage leaves."""
        return self.stages[-1].width(self._widths(columns)[-1])

    def as_mapping(self) -> list[dict[str, object]]:  # type: ignore[override]
        """The list that an experiment file would hold."""
        return [stage.as_mapping() for stage in self.stages]


def _of(number: int, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """What a stage of a chain has left, by its own names."""
    prefix = f"{number}."
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
