"""Error feedback: what a codec loses in one round is sent in a later one."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.catalogue import Choice
from holdfast.codecs.base import Codec, Payload
from holdfast.codecs.top_k import TopK
from holdfast.codecs.wrapper import Around
from holdfast.errors import InputError
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["ErrorFeedback"]


class ErrorFeedback(Around):
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

    remembers: ClassVar[str] = "residual"

    codec: Annotated[Codec, Choice(Codec)] = Field(
        default_factory=TopK, description="the codec whose loss is made good, or a list of them"
    )

    @property
    def adds_up(self) -> bool:
        """It does."""
        return True

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The new residual (K, D), and the inner codec's payload of x + e.

        Raises:
            InputError: there is no residual, because another codec of a chain stands before this one.
        """
        if self.remembers not in state:
            raise InputError("codec", "have error_feedback first", "another codec before it", "Wrap the chain in it.")
        return super().encode(state, x_KD, draws)

    def before(self, x_KD: Tensor, known_KD: Tensor) -> Tensor:
        """(K, D) x + e."""
        return x_KD + known_KD

    def after(self, sent_KD: Tensor, decoded_KD: Tensor, known_KD: Tensor) -> Tensor:
        """(K, D) what was lost."""
        lost_KD = sent_KD - decoded_KD
        return lost_KD.where(torch.isfinite(lost_KD), 0)
