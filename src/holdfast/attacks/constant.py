"""Rows of one number."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Attack, Context
from holdfast.types import State

__all__ = ["Constant"]


class Constant(Attack):
    """Sends the same number everywhere.

    b_id = value

    Example:
        >>> import numpy as np
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> Constant(value=-2).corrupt({}, torch.zeros(0, 2), torch.zeros(1, 2), context)[1]
        tensor([[-2., -2.]])

    Reference:
        Li et al., "RSA: Byzantine-Robust Stochastic Aggregation Methods for Distributed Learning from
        Heterogeneous Datasets" (AAAI 2019), Section 5, the same-value attack.
    """

    value: float = Field(1.0, description="the number that is sent, in the units of the row")

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        """The state, unchanged, and (B, D) rows of the value."""
        return state, torch.full_like(own_BD, self.value)
