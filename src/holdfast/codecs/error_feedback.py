"""Error feedback: what a codec loses in one round is sent in a later one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field, field_validator
from torch import Tensor

from holdfast.catalogue import Choice
from holdfast.codecs.base import Codec, Payload
from holdfast.codecs.top_k import TopK
from holdfast.errors import InputError
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["ErrorFeedback"]


class ErrorFeedback(Codec):
    """Adds what the codec inside it has lost so far to what it sends next, so that nothing is lost for good.

    y = x + e,  send encode(y),  e ← y - decode(encode(y))

    The residual e starts at 0, one row for each node. Where it is not finite it starts again at 0, so that
    one broken round does not break all later ones. It needs whole rows, so it stands first: wrap a chain
    instead of standing in the middle of one.

    Raises:
        InputError: when it stands behind another codec of a chain.

    Example:
        >>> import numpy as np
        >>> codec = ErrorFeedback(codec=TopK(fraction=0.5))
        >>> x_KD, state = torch.tensor([[3.0, 2.0]]), codec.start(rows=1, columns=2)
        >>> for round in range(3):
        ...     state, payload = codec.encode(state, x_KD, Draws(1, "codec", np.array([0]), round))
        ...     print(codec.decode(payload), state["residual"])
        tensor([[3., 0.]]) tensor([[0., 2.]])
        tensor([[0., 4.]]) tensor([[3., 0.]])
        tensor([[6., 0.]]) tensor([[0., 2.]])

    Reference:
        Seide et al., "1-Bit Stochastic Gradient Descent and its Application to Data-Parallel Distributed
        Training of Speech DNNs" (Interspeech 2014); Stich, Cordonnier & Jaggi, "Sparsified SGD with Memory"
        (NeurIPS 2018), Algorithm 1.
    """

    codec: Annotated[Codec, Choice(Codec)] = Field(
        default_factory=TopK, description="the codec whose loss is made good, or a list of them"
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
        """A (rows, columns) residual of zeros, and what the codec inside remembers, under ``codec.…``."""
        inner = {f"codec.{name}": value for name, value in self.codec.start(rows, columns).items()}
        return {"residual": torch.zeros(rows, columns), **inner}

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The new residual (K, D), and the inner codec's payload of x + e.

        Raises:
            InputError: there is no residual, because another codec of a chain stands before this one.
        """
        if "residual" not in state:
            raise InputError("codec", "have error_feedback first", "another codec before it", "Wrap the chain in it.")
        inner = {n.removeprefix("codec."): value for n, value in state.items() if n.startswith("codec.")}
        whole_KD = x_KD.float() + state["residual"].to(x_KD.device)
        inner, payload = self.codec.encode(inner, whole_KD, draws)
        lost_KD = whole_KD - self.codec.decode(payload)
        kept = {f"codec.{name}": value for name, value in inner.items()}
        return {"residual": lost_KD.where(torch.isfinite(lost_KD), 0), **kept}, payload

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows, as the codec inside decodes them."""
        return self.codec.decode(payload)

    def template(self, columns: int) -> Payload:
        """One row's payload, as the codec inside makes it."""
        return self.codec.template(columns)

    def width(self, columns: int) -> int:
        """How many values the codec inside leaves."""
        return self.codec.width(columns)
