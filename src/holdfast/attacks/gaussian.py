"""Gaussian noise."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Attack, Context
from holdfast.types import State

__all__ = ["Gaussian"]


class Gaussian(Attack):
    """Sends noise instead of the truth, each attacker its own.

    b_id ~ N(0, std²)

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> _, sent_BD = Gaussian(std=5).corrupt({}, torch.zeros(0, 4000), torch.zeros(1, 4000), context)
        >>> bool(4.7 < sent_BD.std() < 5.3)
        True

    Reference:
        Blanchard et al., "Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent" (NeurIPS
        2017), Section 5, with a standard deviation of 200.
    """

    std: float = Field(1.0, gt=0, description="the standard deviation of the noise, in the units of the row")

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        """The state, unchanged, and (B, D) rows of noise."""
        return state, self.std * context.draws.normal(own_BD.shape[1]).to(own_BD)
