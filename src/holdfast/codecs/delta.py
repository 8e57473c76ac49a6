"""Differences to what the receiver holds already."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.catalogue import Choice
from holdfast.codecs.base import Codec
from holdfast.codecs.float16 import Float16
from holdfast.codecs.wrapper import Around

__all__ = ["Delta"]


class Delta(Around):
    """Sends how the model has changed since the version that the receiver has acknowledged.

    send encode(x - r),  r ← r + decode(encode(x - r))

    and the receivers hold r: what one difference loses is in the next one, so nothing is lost for good. It is for the
    way down alone: what nodes send up is a difference to the broadcast already. A node acknowledges a version by
    answering the round in which it was sent; who has not, gets r whole, in float32. In a run r starts at the first
    model, which every node can make for itself.

    Example:
        >>> import numpy as np
        >>> from holdfast.seeding import Draws
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
    remembers: ClassVar[str] = "reference"

    codec: Annotated[Codec, Choice(Codec)] = Field(
        default_factory=Float16, description="how the difference is encoded, or a list of codecs"
    )

    def before(self, x_KD: Tensor, known_KD: Tensor) -> Tensor:
        """(K, D) x - r."""
        return x_KD - known_KD

    def after(self, sent_KD: Tensor, decoded_KD: Tensor, known_KD: Tensor) -> Tensor:
        """(K, D) the new r; a difference that is broken is not kept."""
        return known_KD + decoded_KD.where(torch.isfinite(decoded_KD), 0)
