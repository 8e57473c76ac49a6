"""Copies of one honest node."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Context
from holdfast.attacks.directions import top_direction
from holdfast.attacks.together import Collusion

__all__ = ["Mimic"]


class Mimic(Collusion):
    """Sends a copy of one honest row, so that a rule hears one node too often and others not at all.

    b = x_{i*},  i* = victim, or argmax_i |v · x_i|

    with v the direction along which the honest rows of this round differ most, where no victim is named. The
    paper gathers v over the first rounds; here every round has its own. The rows are counted in the order of
    the nodes, as far as they are honest and take part; where they are too few, the last one is copied.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> honest_HD = torch.tensor([[1.0, 0.0], [1.0, 2.0], [1.0, -5.0]])
        >>> for victim in (1, None):
        ...     print(Mimic(victim=victim).corrupt({}, honest_HD, torch.zeros(1, 2), context)[1])
        tensor([[1., 2.]])
        tensor([[ 1., -5.]])

    Reference:
        Karimireddy, He & Jaggi, "Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing" (ICLR
        2022), Section 3 and its appendix on the mimic attack.
    """

    victim: int | None = Field(None, ge=0, description="which of the honest rows is copied, from 0; none for the worst")

    def row(self, honest_HD: Tensor, attackers: int, context: Context) -> Tensor:
        """The (D,) row of the victim."""
        if self.victim is not None:
            return honest_HD[min(self.victim, len(honest_HD) - 1)]
        direction_D, _ = top_direction(honest_HD)
        return honest_HD[int((honest_HD @ direction_D).abs().argmax())]
