"""No farther from any honest row than the honest rows are from each other."""

from __future__ import annotations

from holdfast.attacks.spread import Perturbing
from holdfast.types import FloatArray

__all__ = ["MinMax"]


class MinMax(Perturbing):
    """Sends the farthest row that is no farther from any honest row than two honest rows are from each other.

    b = ḡ + γ · ∇p,  γ the greatest with  max_i ‖b - x_i‖ ≤ max_ij ‖x_i - x_j‖

    ḡ is the mean of the honest rows and ∇p the direction: -sign(ḡ), -ḡ / ‖ḡ‖ (unit), or minus the standard
    deviation of each coordinate (std). γ is found by doubling and halving, to float64's precision.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.attacks import Context
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> honest_HD = torch.tensor([[1.0], [3.0]])
        >>> MinMax().corrupt({}, honest_HD, torch.zeros(1, 1), context)[1]
        tensor([[1.]])

    Reference:
        Shejwalkar & Houmansadr, "Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning" (NDSS 2021), Section IV, the Min-Max attack that knows no rule.
    """

    def near(self, squares_H: FloatArray, pairs_HH: FloatArray) -> bool:
        """Whether no honest row is farther away than the two farthest are from each other."""
        return bool(squares_H.max() <= pairs_HH.max())
