"""Sign flip."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Attack, Context
from holdfast.types import State

__all__ = ["SignFlip"]


class SignFlip(Attack):
    """Sends the opposite of what the attacker has computed.

    b_i = -scale · x_i

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> SignFlip(scale=2).corrupt({}, torch.zeros(0, 2), torch.tensor([[1.0, -3.0]]), context)[1]
        tensor([[-2.,  6.]])

    Reference:
        Li et al., "RSA: Byzantine-Robust Stochastic Aggregation Methods for Distributed Learning from
        Heterogeneous Datasets" (AAAI 2019), Section 5.
    """

    scale: float = Field(1.0, gt=0, description="how many times longer than the truth the flipped row is")

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        """The state, unchanged, and the (B, D) flipped rows."""
        return state, -self.scale * own_BD
