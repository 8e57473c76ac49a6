"""The contract of codecs, and their composition."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Payload:
    """Encoded rows: named tensors, each with one row for each node first.

    Args:
        tensors: what goes over the wire; ``values`` holds the numbers that a next codec may encode further.
        columns: D, how many columns a decoded row has.
    """

    tensors: dict[str, Tensor]
    columns: int

    def rows(self, index: IntArray | Tensor) -> Payload:
        """The payload of some of the rows."""
        chosen = torch.as_tensor(index)
        return replace(self, tensors={name: t[chosen.to(t.device)] for name, t in self.tensors.items()})

    @property
    def row_bytes(self) -> int:
        """The bytes of one row's tensors; the header that names them is counted apart."""
        return sum(t[:1].numel() * t.element_size() for t in self.tensors.values())


class Codec(Component):
    """Turns rows into fewer bytes and back; it states the bytes by really producing them.

    `decode` is a pure function of the payload, so any receiver can run it. Values that are not finite survive as values
    that are not finite: a codec never turns a broken row into a plausible one.
    """

    family: ClassVar[str] = "codecs"

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
        for codec in codecs[1:]:
            if codec.start(1, 1):
                remedy = "Put it first, or around the others: {name: error_feedback, codec: [...]}."
                raise InputError("", "hold a codec with memory only in the first place", codec.component_name(), remedy)
        return Chain(stages=codecs) if len(codecs) > 1 else codecs[0]


class Chain(Codec):
    """Codecs in order: each encodes the ``values`` that the one before left, such as top-k and then int8."""

    stages: tuple[Codec, ...]

    def start(self, rows: int, columns: int) -> State:
        """Each stage's own beginning; a stage with memory must come first, where it sees whole rows."""
        return {f"0.{key}": value for key, value in self.stages[0].start(rows, columns).items()}

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """Each stage in turn; the tensors of stage i are named ``i.…``."""
        states: State = {}
        tensors: dict[str, Tensor] = {}
        values, last = x_KD, len(self.stages) - 1
        for number, stage in enumerate(self.stages):
            own = {key.partition(".")[2]: value for key, value in state.items() if key.startswith(f"{number}.")}
            own, payload = stage.encode(own, values, draws)
            states |= {f"{number}.{key}": value for key, value in own.items()}
            named = dict(payload.tensors)
            if number < last:
                if "values" not in named:
                    remedy = f"Put {stage.component_name()} last."
                    raise InputError("codec", "leave values for the next codec", stage.component_name(), remedy)
                values = named.pop("values")
            tensors |= {f"{number}.{name}": tensor for name, tensor in named.items()}
        return states, Payload(tensors, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        """Each stage backwards."""
        widths = self._widths(payload.columns)
        values: Tensor | None = None
        for number in reversed(range(len(self.stages))):
            prefix = f"{number}."
            named = {n.removeprefix(prefix): t for n, t in payload.tensors.items() if n.startswith(prefix)}
            if values is not None:
                named["values"] = values
            values = self.stages[number].decode(Payload(named, widths[number]))
        assert values is not None
        return values

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
