"""Dissensus: against every agreement."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.attacks.each import ToEach

__all__ = ["Dissensus"]


class Dissensus(ToEach):
    """Pushes each neighbour away from what its honest neighbours pull it to; among peers only.

    b_i = x_i - ε · Σ_{j honest} W_ij (x_j - x_i) / Σ_{k attacking} W_ik

    is what every attacker tells node i. Where i mixes by W, the attackers take ε times the pull of the honest
    neighbours away: with ε = 1 nothing is left of it, and with more the honest nodes drift apart.

    Example:
        >>> import torch
        >>> own_KD, mixed_KD = torch.tensor([[1.0], [5.0]]), torch.tensor([[2.0], [4.0]])
        >>> Dissensus(epsilon=2).told(own_KD, mixed_KD, torch.tensor([0.25, 0.5]))
        tensor([[-7.],
                [ 9.]])

    Reference:
        He, Karimireddy & Jaggi, "Byzantine-Robust Decentralized Learning via ClippedGossip" (2022), Section 4, the
        dissensus attack.
    """

    epsilon: float = Field(1.5, gt=0, description="the share of the honest pull that the attackers take away")

    def told(self, own_KD: Tensor, mixed_KD: Tensor, weight_K: Tensor) -> Tensor:
        """The (K, D) rows."""
        return own_KD - self.epsilon * (mixed_KD - own_KD) / weight_K.unsqueeze(1)
