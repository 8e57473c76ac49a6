"""Reversed and amplified rows."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Attack, Context
from holdfast.types import State

__all__ = ["Reverse"]


class Reverse(Attack):
    """Sends the opposite of what the attacker has computed, many times as long.

    b_i = -scale · x_i

    The same as `sign_flip` but for its default: long enough to overturn a mean.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> Reverse().corrupt({}, torch.zeros(0, 2), torch.tensor([[1.0, -3.0]]), context)[1]
        tensor([[-100.,  300.]])

    Reference:
        Guerraoui et al., "Garfield: System Support for Byzantine Machine Learning" (DSN 2021), whose release
        holds it among its attacks with this factor.
    """

    scale: float = Field(100.0, gt=0, description="how many times longer than the truth the reversed row is")

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        """The state, unchanged, and the (B, D) reversed rows."""
        return state, -self.scale * own_BD
