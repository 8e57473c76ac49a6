"""Uniform noise."""

from __future__ import annotations

from torch import Tensor

from holdfast.attacks.base import Attack, Context
from holdfast.types import State

__all__ = ["Uniform"]


class Uniform(Attack):
    """Sends numbers between 0 and 1 instead of the truth, each attacker its own.

    b_id ~ U[0, 1)

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> _, sent_BD = Uniform().corrupt({}, torch.zeros(0, 4000), torch.zeros(1, 4000), context)
        >>> bool(0 <= sent_BD.min() < 0.01), bool(0.99 < sent_BD.max() < 1)
        (True, True)

    Reference:
        Guerraoui et al., "Garfield: System Support for Byzantine Machine Learning" (DSN 2021), whose release
        calls it random.
    """

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        """The state, unchanged, and (B, D) rows of noise."""
        return state, context.draws.uniform(own_BD.shape[1]).to(own_BD)
