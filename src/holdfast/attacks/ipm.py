"""Inner product manipulation."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Context
from holdfast.attacks.together import Collusion

__all__ = ["Ipm"]


class Ipm(Collusion):
    """Sends the opposite of the honest mean, so that what is aggregated no longer points where the mean does.

    b = -epsilon · ḡ,  ḡ the mean of the honest rows

    A small factor slips past rules that select rows, a great one turns means and medians round. Garfield
    calls it empire, with a factor of 10.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> honest_HD = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
        >>> Ipm(epsilon=0.5).corrupt({}, honest_HD, torch.zeros(1, 2), context)[1]
        tensor([[-1., -0.]])

    Reference:
        Xie, Koyejo & Gupta, "Fall of Empires: Breaking Byzantine-tolerant SGD by Inner Product Manipulation"
        (UAI 2020), Section 4.
    """

    epsilon: float = Field(2.0, gt=0, description="how many times longer than the honest mean the row is")

    def row(self, honest_HD: Tensor, attackers: int, context: Context) -> Tensor:
        """The (D,) opposite of the mean."""
        return -self.epsilon * honest_HD.mean(0)
