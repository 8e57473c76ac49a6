"""Against rules that go by the length of rows."""

from __future__ import annotations

import torch
from torch import Tensor

from holdfast.attacks.base import Context
from holdfast.attacks.together import Collusion

__all__ = ["AntiCge"]

JUST_UNDER = 0.99
"""How much shorter than the first dropped row: enough to survive the rounding of a codec."""


class AntiCge(Collusion):
    """Sends the opposite of what a rule by norm would select, just short enough to be selected itself.

    b = -0.99 · r · s / ‖s‖,  s = Σ of the H - f shortest honest rows,  r the norm of the next longer one

    Of n = H + B rows, comparative gradient elimination keeps the n - f shortest: the B attackers and those H - f
    honest ones. f is what the rule was built to tolerate. With f = 0 there is no next longer row, and r is the
    norm of the longest; at least one row is always in the sum.

    Example:
        >>> import numpy as np
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> honest_HD = torch.tensor([[1.0], [9.0], [2.0], [4.0]])
        >>> AntiCge().corrupt({}, honest_HD, torch.zeros(1, 1), context)[1]
        tensor([[-8.9100]])

    Reference:
        Gupta, Liu & Vaidya, "Byzantine Fault-Tolerant Distributed Machine Learning with Norm-Based Comparative
        Gradient Elimination" (DSN-W 2021), whose rule it is made against.
    """

    def row(self, honest_HD: Tensor, attackers: int, context: Context) -> Tensor:
        """The (D,) opposite of the sum."""
        norms_H, order_H = honest_HD.norm(dim=1).sort(stable=True)
        kept = max(1, len(honest_HD) - context.f)
        sum_D = honest_HD[order_H[:kept]].sum(0)
        reach = JUST_UNDER * float(norms_H[min(kept, len(honest_HD) - 1)])
        length = sum_D.norm().clamp(min=torch.finfo(sum_D.dtype).tiny)
        return sum_D.div(length).mul(-reach)
