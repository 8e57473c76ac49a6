"""What the attacks share that go as far from the honest mean as the honest rows' own spread allows."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Context
from holdfast.attacks.search import largest
from holdfast.attacks.together import Collusion
from holdfast.types import FloatArray

__all__ = ["Perturbing", "perturbation"]

Direction = Literal["sign", "unit", "std"]


class Perturbing(Collusion):
    """All attackers send the honest mean, moved as far as it stays near.

    b = ḡ + γ · ∇p
    """

    direction: Direction = Field("std", description="which way: minus the mean's signs, the mean or the stds")

    @abstractmethod
    def near(self, squares_H: FloatArray, pairs_HH: FloatArray) -> bool:
        """Whether a row is near enough.

        Args:
            squares_H: its squared distance to each honest row.
            pairs_HH: the squared distances between honest rows.
        """

    def row(self, honest_HD: Tensor, attackers: int, context: Context) -> Tensor:
        """The (D,) farthest row that is near enough, γ found by doubling and halving."""
        mean_D = honest_HD.mean(0)
        push_D, away_HD = perturbation(honest_HD, self.direction), honest_HD - mean_D
        gram_HH = (away_HD @ away_HD.T).double().cpu().numpy()
        along_H = (away_HD @ push_D).double().cpu().numpy()
        own_H, length = gram_HH.diagonal(), float(push_D.norm().double().square())
        with np.errstate(over="ignore", invalid="ignore"):  # rows so long that their squares overflow are not near
            pairs_HH = (own_H[:, None] + own_H - 2 * gram_HH).clip(min=0)
            factor = largest(lambda γ: self.near(own_H - 2 * γ * along_H + γ**2 * length, pairs_HH))
        return mean_D + factor * push_D


def perturbation(honest_HD: Tensor, direction: Direction) -> Tensor:
    """∇p: -sign(ḡ), -ḡ / ‖ḡ‖ or -σ, of the mean ḡ and the standard deviations σ of the honest rows.

    Example:
        >>> honest_HD = torch.tensor([[3.0, 3.0], [3.0, 5.0]])
        >>> for direction in ("sign", "unit", "std"):
        ...     print(perturbation(honest_HD, direction))
        tensor([-1., -1.])
        tensor([-0.6000, -0.8000])
        tensor([-0., -1.])
    """
    mean_D = honest_HD.mean(0)
    if direction == "sign":
        return -mean_D.sign()
    if direction == "unit":
        length = mean_D.norm().clamp(min=torch.finfo(mean_D.dtype).tiny)
        return -mean_D.div(length)
    return -honest_HD.std(0, correction=0)
