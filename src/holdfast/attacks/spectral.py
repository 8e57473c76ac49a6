"""Along the direction in which honest nodes disagree most."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Context
from holdfast.attacks.directions import top_direction
from holdfast.attacks.together import Collusion

__all__ = ["Spectral"]


class Spectral(Collusion):
    """Sends the honest mean, pushed along the direction in which the honest nodes disagree most.

    b = ḡ + scale · σ · v,  v = argmax over ‖v‖ = 1 of Σ_i (v · (x_i - ḡ))²

    with ḡ the mean of the H honest rows, v the top singular direction of the rows around it, and σ their
    standard deviation along v. Of v and -v, the one that points away from ḡ. It is made for graphs, where it
    keeps the nodes from agreeing. The paper weighs each row by the graph's Fiedler vector and sends each
    neighbour a row of its own; this attack knows no graph, so the rows themselves say who disagrees with
    whom, and all neighbours hear the same.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> honest_HD = torch.tensor([[2.0, 0.0], [2.0, 4.0]])
        >>> Spectral(scale=3).corrupt({}, honest_HD, torch.zeros(1, 2), context)[1]
        tensor([[ 2., -4.]])

    Reference:
        Gaucher, Dieuleveut & Hendrikx, "Unified Breakdown Analysis for Byzantine Robust Gossip" (ICML 2025), the
        spectral heterogeneity attack.
    """

    scale: float = Field(2.0, gt=0, description="how far, in standard deviations of the honest rows along v")

    def row(self, honest_HD: Tensor, attackers: int, context: Context) -> Tensor:
        """The (D,) pushed mean."""
        direction_D, spread = top_direction(honest_HD)
        return honest_HD.mean(0) + self.scale * spread * direction_D
