"""Rows that are not numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from holdfast.attacks.base import Attack, Context
from holdfast.types import State

__all__ = ["Nan"]


class Nan(Attack):
    """Sends NaN everywhere, which is what a broken node sends too.

    b_id = NaN

    Example:
        >>> import numpy as np
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> Nan().corrupt({}, torch.zeros(0, 2), torch.zeros(1, 2), context)[1]
        tensor([[nan, nan]])

    Reference:
        Damaskinos et al., "AggregaThor: Byzantine Machine Learning via Robust Gradient Aggregation" (SysML
        2019), whose release holds it among its attacks.
    """

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        """The state, unchanged, and (B, D) rows of NaN."""
        return state, torch.full_like(own_BD, torch.nan)
