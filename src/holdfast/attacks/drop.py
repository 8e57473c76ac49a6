"""Rows with lost coordinates."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Attack, Context
from holdfast.types import State

__all__ = ["Drop"]


class Drop(Attack):
    """Sends the truth with holes: each coordinate is lost with a probability, each attacker's own.

    b_id = NaN with probability p, else x_id

    What is lost is missing, as on a lossy link, and not zero.

    Example:
        >>> import numpy as np
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> _, sent_BD = Drop(probability=0.3).corrupt({}, torch.zeros(0, 4000), torch.ones(1, 4000), context)
        >>> bool(0.27 < sent_BD.isnan().float().mean() < 0.33), sent_BD.nanmean().item()
        (True, 1.0)

    Reference:
        Guerraoui et al., "Garfield: System Support for Byzantine Machine Learning" (DSN 2021), whose release
        names this probability, and puts zeros where this attack leaves holes.
    """

    probability: float = Field(0.3, gt=0, le=1, description="the probability with which a coordinate is lost")

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        """The state, unchanged, and the (B, D) rows with holes."""
        kept_BD = context.draws.uniform(own_BD.shape[1]) >= self.probability
        return state, own_BD.where(kept_BD.to(own_BD.device), torch.nan)
