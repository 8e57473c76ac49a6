"""What codecs share that stand around another one, and remember a row of each node."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from pydantic import Field, field_validator
from torch import Tensor

from holdfast.catalogue import Choice
from holdfast.codecs.base import Codec, Payload
from holdfast.codecs.float16 import Float16
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["Around"]

_INSIDE = "codec."


class Around(Codec):
    """A codec that makes a row of each row and of what it remembers, lets the codec inside encode that, and remembers.

    Raises:
        InputError: the codec inside tells differences.
    """

    remembers: ClassVar[str]
    """The name of what it remembers of each node, a row that starts at 0."""

    codec: Annotated[Codec, Choice(Codec)] = Field(
        default_factory=Float16, description="the codec inside, or a list of them"
    )

    @field_validator("codec")
    @classmethod
    def _rows_inside(cls, codec: Codec) -> Codec:
        codec.refuse_differences()
        return codec

    @abstractmethod
    def before(self, x_KD: Tensor, known_KD: Tensor) -> Tensor:
        """(K, D) what the codec inside encodes."""

    @abstractmethod
    def after(self, sent_KD: Tensor, decoded_KD: Tensor, known_KD: Tensor) -> Tensor:
        """(K, D) what is remembered, from what was to be sent and what the receiver decodes."""

    def fitted(self, shapes: Sequence[tuple[int, ...]]) -> Codec:
        """The codec inside fits these shapes."""
        return self.model_copy(update={"codec": self.codec.fitted(shapes)})

    def start(self, rows: int, columns: int) -> State:
        """(rows, columns) zeros, and what the codec inside remembers, under ``codec.…``."""
        inner = {f"{_INSIDE}{name}": value for name, value in self.codec.start(rows, columns).items()}
        return {self.remembers: torch.zeros(rows, columns), **inner}

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """What is remembered from now on, and the payload of the codec inside."""
        inner = {n.removeprefix(_INSIDE): value for n, value in state.items() if n.startswith(_INSIDE)}
        known_KD = state[self.remembers].to(x_KD.device)
        sent_KD = self.before(x_KD.float(), known_KD)
        inner, payload = self.codec.encode(inner, sent_KD, draws)
        kept = {f"{_INSIDE}{name}": value for name, value in inner.items()}
        return {self.remembers: self.after(sent_KD, self.codec.decode(payload), known_KD), **kept}, payload

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows, as the codec inside decodes them."""
        return self.codec.decode(payload)

    def template(self, columns: int) -> Payload:
        """One row's payload, as the codec inside makes it."""
        return self.codec.template(columns)

    def width(self, columns: int) -> int:
        """How many values the codec inside leaves."""
        return self.codec.width(columns)
