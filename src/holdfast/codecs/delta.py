"""Differences to what the receiver holds already."""

from __future__ import annotations

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

__all__ = ["Delta"]


class Delta(Codec):
    """Sends how the model has changed since the version that the receiver has acknowledged.

    send encode(x - r),  r ← r + decode(encode(x - r))

    and the receivers hold r: what one difference loses is in the next one, so nothing is lost for good. It is for the
    way down alone: what nodes send up is a difference to the broadcast already. A node acknowledges a version by
    answering the round in which it was sent; who has not, gets r whole, in float32. In a run r starts at the first
    model, which every node can make for itself.

    Example:
        >>> import numpy as np
        >>> codec, x_1D = Delta(), torch.tensor([[1.0, 2.0]])
        >>> state, payload = codec.encode(codec.start(1, 2), x_1D, Draws(1, "codec", np.array([0]), 1))
        >>> codec.encode(state, x_1D + 0.5, Draws(1, "codec", np.array([0]), 2))[1].tensors["values"]
        tensor([[0.5000, 0.5000]], dtype=torch.float16)

    Reference:
        Mishchenko et al., "Distributed Learning with Compressed Gradient Differences" (2019), Section 3; Koloskova,
        Stich & Jaggi, "Decentralized Stochastic Optimization and Gossip Algorithms with Compressed Communication"
        (ICML 2019), Algorithm 1.
    """

    differences: ClassVar[bool] = True

    codec: Annotated[Codec, Choice(Codec)] = Field(
        default_factory=Float16, description="how the difference is encoded, or a list of codecs"
    )

    @field_validator("codec")
    @classmethod
    def _rows_inside(cls, codec: Codec) -> Codec:
        codec.refuse_differences()
        return codec

    def fitted(self, shapes: Sequence[tuple[int, ...]]) -> Codec:
        """The codec inside fits these shapes."""
        return self.model_copy(update={"codec": self.codec.fitted(shapes)})

    def start(self, rows: int, columns: int) -> State:
        """A (rows, columns) reference of zeros, and what the codec inside remembers, under ``codec.…``."""
        inner = {f"codec.{name}": value for name, value in self.codec.start(rows, columns).items()}
        return {"reference": torch.zeros(rows, columns), **inner}

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The new reference (K, D), and the inner codec's payload of x - r; a difference that is broken is not kept."""
        inner = {n.removeprefix("codec."): value for n, value in state.items() if n.startswith("codec.")}
        reference_KD = state["reference"].to(x_KD.device)
        inner, payload = self.codec.encode(inner, x_KD.float() - reference_KD, draws)
        change_KD = self.codec.decode(payload)
        kept = {f"codec.{name}": value for name, value in inner.items()}
        return {"reference": reference_KD + change_KD.where(torch.isfinite(change_KD), 0), **kept}, payload

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 differences."""
        return self.codec.decode(payload)

    def template(self, columns: int) -> Payload:
        """One row's payload, as the codec inside makes it."""
        return self.codec.template(columns)

    def width(self, columns: int) -> int:
        """How many values the codec inside leaves."""
        return self.codec.width(columns)
