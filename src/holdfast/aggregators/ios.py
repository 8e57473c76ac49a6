"""Iterative outlier scissors: cut the farthest row, again and again."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.scores import least
from holdfast.aggregators.shares import shares
from holdfast.aggregators.spectrum import FAR
from holdfast.types import State

__all__ = ["Ios"]


class Ios(Robust, Weighing):
    """The weighted mean after f times the row farthest from it is dropped, never the own one; on graphs only.

    U_0 = all rows,  U_{k+1} = U_k without argmax_{j ∈ U_k, j ≠ 0} ‖x_j - x̄(U_k)‖,  IOS = x̄(U_f)

    where row 0 is the receiver's own and x̄(U) = Σ_{j ∈ U} W_j x_j / Σ_{j ∈ U} W_j. A tie drops the lower row. A row
    that is not finite is dropped first, and never in a mean; an own row that is not finite stays as it is. It is
    proven for liars that weigh less than 1/3 together; a liar that alone weighs more than all others draws the mean
    to itself. Costs O(M² · D) to read the distances once, and the mean.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> x_MD = torch.tensor([[0.0], [1.0], [2.0], [90.0]])
        >>> Ios(f=1)(x_MD)
        tensor([1.])
        >>> Ios(f=1)(x_MD, torch.tensor([0.5, 0.25, 0.125, 0.125]))
        tensor([0.5714])

    Reference:
        Wu, Chen & Ling, "Byzantine-Resilient Decentralized Stochastic Optimization With Robust Aggregation Rules"
        (IEEE Transactions on Signal Processing 2023), Algorithm 2.
    """

    on_graphs_only: ClassVar[bool] = True

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and the weights of the rows that are left."""
        squared_MM, whole_M = rows.geometry.between_MM, rows.geometry.whole_M
        own_M = torch.arange(rows.rows, device=squared_MM.device) == 0
        heard_M = whole_M & whole_M[..., :1] | own_M
        weights_M = shares(rows.rows, rows.weights_Q).to(squared_MM.device).where(heard_M, 0)
        both_MM = whole_M.unsqueeze(-1) & whole_M.unsqueeze(-2)
        squared_MM, left_M = squared_MM.clamp(max=FAR).where(both_MM, 0), torch.ones_like(whole_M)
        for _ in range(self.f):
            mean_M = weights_M.where(left_M, 0).unsqueeze(-1)
            far_M = (squared_MM @ mean_M).squeeze(-1)  # ‖x_j - x̄‖², up to a factor and a term that all j share
            far_M = far_M.where(whole_M, torch.inf).where(left_M & ~own_M, -torch.inf)
            left_M = left_M & ~least(-far_M, 1)
        weights_M = weights_M.where(left_M, 0)
        return state, weights_M / weights_M.sum(-1, keepdim=True)
