"""A little is enough."""

from __future__ import annotations

from statistics import NormalDist

from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Context
from holdfast.attacks.together import Collusion

__all__ = ["Alie"]


class Alie(Collusion):
    """Sends the honest mean shifted by a few standard deviations: a little is enough, if all do it together.

    b = mean + z · std, of each coordinate of the honest rows

    with the standard deviation over the H rows, not H - 1. The shift goes up; a negative z shifts down, as
    the paper's listing does. Without z, it is the greatest with which the attackers still look more central
    than so many honest rows that they form a majority with them: of n = H + B rows,

    z_max = Φ⁻¹((H - s) / H),  s = max(1, ⌊n/2 + 1⌋ - B)

    and 0 where even that is negative, since few attackers have nothing to gain. Where no honest row takes
    part, the attackers send the truth.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> honest_HD = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
        >>> Alie(z=1.5).corrupt({}, honest_HD, torch.zeros(1, 2), context)[1]
        tensor([[3.5000, 0.0000]])
        >>> round(Alie.z_max(honest=26, byzantine=24), 2)
        1.43

    Reference:
        Baruch, Baruch & Goldberg, "A Little Is Enough: Circumventing Defenses For Distributed Learning"
        (NeurIPS 2019), Algorithm 3.
    """

    z: float | None = Field(1.5, description="the shift, in standard deviations; none for the paper's greatest")

    @staticmethod
    def z_max(honest: int, byzantine: int) -> float:
        """The paper's greatest shift that still hides among so many honest rows, in standard deviations."""
        supporters = max(1, (honest + byzantine) // 2 + 1 - byzantine)
        return NormalDist().inv_cdf(max(0.5, (honest - supporters) / honest))

    def row(self, honest_HD: Tensor, attackers: int, context: Context) -> Tensor:
        """The (D,) shifted mean."""
        z = self.z_max(len(honest_HD), attackers) if self.z is None else self.z
        return honest_HD.mean(0) + z * honest_HD.std(0, correction=0)
