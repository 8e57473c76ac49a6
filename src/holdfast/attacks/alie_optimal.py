"""A little is enough, with the shift that harms the most."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from holdfast.attacks.search import Searching

__all__ = ["AlieOptimal"]


class AlieOptimal(Searching):
    """Sends the honest mean shifted by as many standard deviations as harm the most under the very rule in use.

    b = ḡ + z · σ,  z = argmax over [least, most] of ‖rule(all rows) - ḡ‖

    with ḡ the mean and σ the standard deviation of each coordinate of the honest rows, as in `alie`. z is
    searched for every round: on a coarse grid and the default of `alie`, then by golden sections around the
    best. The rule starts afresh and gives every row the same weight.

    Raises:
        InputError: ``most`` is less than ``least``.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.attacks import Context
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> honest_HD = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
        >>> AlieOptimal(most=4).corrupt({}, honest_HD, torch.zeros(1, 2), context)[1]
        tensor([[6., 0.]])

    Reference:
        Shejwalkar & Houmansadr, "Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning" (NDSS 2021), Section IV, whose idea of fitting the attack to the rule is applied to
        Baruch, Baruch & Goldberg, "A Little Is Enough" (NeurIPS 2019).
    """

    default: ClassVar[float] = 1.5

    def line(self, honest_HD: Tensor) -> tuple[Tensor, Tensor]:
        """The (D,) mean and the (D,) standard deviations."""
        return honest_HD.mean(0), honest_HD.std(0, correction=0)
