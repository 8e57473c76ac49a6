"""Rows of zeros."""

from __future__ import annotations

import torch
from torch import Tensor

from holdfast.attacks.base import Attack, Context
from holdfast.types import State

__all__ = ["Zero"]


class Zero(Attack):
    """Sends zeros: a free rider, who has computed nothing and slows the mean down.

    b_id = 0

    Example:
        >>> import numpy as np
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> Zero().corrupt({}, torch.zeros(0, 2), torch.ones(1, 2), context)[1]
        tensor([[0., 0.]])

    Reference:
        Li et al., "RSA: Byzantine-Robust Stochastic Aggregation Methods for Distributed Learning from
        Heterogeneous Datasets" (AAAI 2019), Section 5, where the attackers' rows cancel the others' to zero.
    """

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        """The state, unchanged, and (B, D) rows of zeros."""
        return state, torch.zeros_like(own_BD)
