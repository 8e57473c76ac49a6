"""Inner product manipulation, with the factor that harms the most."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from holdfast.attacks.search import Searching

__all__ = ["IpmOptimal"]


class IpmOptimal(Searching):
    """Sends the opposite of the honest mean, as long as harms the most under the very rule in use.

    b = -ε · ḡ,  ε = argmax over [least, most] of ‖rule(all rows) - ḡ‖

    with ḡ the mean of the honest rows, as in `ipm`. ε is searched for every round: on a coarse grid and the
    default of `ipm`, then by golden sections around the best. The rule starts afresh and gives every row the
    same weight.

    Raises:
        InputError: ``most`` is less than ``least``.

    Example:
        >>> import numpy as np
        >>> from holdfast.attacks import Context
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> honest_HD = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
        >>> IpmOptimal(most=4).corrupt({}, honest_HD, torch.zeros(1, 2), context)[1]
        tensor([[-8.,  0.]])

    Reference:
        Shejwalkar & Houmansadr, "Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning" (NDSS 2021), Section IV, whose idea of fitting the attack to the rule is applied to
        Xie, Koyejo & Gupta, "Fall of Empires" (UAI 2020).
    """

    default: ClassVar[float] = 2.0

    def line(self, honest_HD: Tensor) -> tuple[Tensor, Tensor]:
        """The origin and the (D,) opposite of the mean."""
        return torch.zeros_like(honest_HD[0]), -honest_HD.mean(0)
