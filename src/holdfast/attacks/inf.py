"""Rows that are infinite."""

from __future__ import annotations

import torch
from torch import Tensor

from holdfast.attacks.base import Attack, Context
from holdfast.types import State

__all__ = ["Inf"]


class Inf(Attack):
    """Sends infinity everywhere, which is what an overflow sends too.

    b_id = ∞

    Example:
        >>> import numpy as np
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> Inf().corrupt({}, torch.zeros(0, 2), torch.zeros(1, 2), context)[1]
        tensor([[inf, inf]])

    Reference:
        Blanchard et al., "Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent" (NeurIPS
        2017), Lemma 1: a single row decides what a linear rule gives.
    """

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        """The state, unchanged, and (B, D) rows of infinity."""
        return state, torch.full_like(own_BD, torch.inf)
