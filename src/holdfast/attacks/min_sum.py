"""No farther from all honest rows together than an honest row is."""

from __future__ import annotations

from holdfast.attacks.spread import Perturbing
from holdfast.types import FloatArray

__all__ = ["MinSum"]


class MinSum(Perturbing):
    """Sends the farthest row whose distances to all honest rows together are no greater than an honest row's.

    b = ḡ + γ · ∇p,  γ the greatest with  Σ_i ‖b - x_i‖² ≤ max_i Σ_j ‖x_i - x_j‖²

    ḡ is the mean of the honest rows and ∇p the direction: -sign(ḡ), -ḡ / ‖ḡ‖ (unit), or minus the standard
    deviation of each coordinate (std). γ is found by doubling and halving, to float64's precision.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.attacks import Context
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> honest_HD = torch.tensor([[1.0], [3.0]])
        >>> MinSum().corrupt({}, honest_HD, torch.zeros(1, 1), context)[1]
        tensor([[1.]])

    Reference:
        Shejwalkar & Houmansadr, "Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning" (NDSS 2021), Section IV, the Min-Sum attack that knows no rule.
    """

    def near(self, squares_H: FloatArray, pairs_HH: FloatArray) -> bool:
        """Whether the sum is no greater than that of the honest row with the greatest."""
        return bool(squares_H.sum() <= pairs_HH.sum(1).max())
