"""The covariance-bound agnostic filter."""

from __future__ import annotations

import torch
from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.spectrum import principal
from holdfast.types import State

__all__ = ["Caf"]


class Caf(Robust, Weighing):
    """The mean of the rows once those that stretch their covariance have lost weight.

    CAF = μ_c for the c of least λ_c,  c_i ← c_i · (1 - τ_i / max_j τ_j)  as long as Σ_i c_i > n - 2f

    from c = 1, where μ_c is the mean of the rows with weights c, λ_c the greatest eigenvalue of their covariance, v its
    eigenvector and τ_i = ⟨x_i - μ_c, v⟩². The greatest τ is that of the rows which still have weight, so each pass
    takes at least one row's. A tie goes to the earlier c. A row that is not finite starts with weight 0. The weights of
    messages are ignored, since a liar states its own. It need not know how much the honest rows vary, and the breakdown
    point is 1/2. Costs O(M² · D) to read the distances once, and O(M³) for each of at most M passes.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> Caf(f=1)(torch.tensor([[0.0], [1.0], [2.0], [9.0]]))
        tensor([1.0851])

    Reference:
        Allouah et al., "Towards Trustworthy Federated Learning with Untrusted Participants" (ICML 2025).
    """

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and the weights under which the rows vary least."""
        squared_MM, whole_M = rows.geometry.between_MM, rows.geometry.whole_M
        weights_M = (whole_M | ~whole_M.any(-1, keepdim=True)).double()
        best_M, least = weights_M, torch.full_like(weights_M[..., 0], torch.inf)
        for _ in range(rows.rows):
            total = weights_M.sum(-1, keepdim=True)
            heavy = total.squeeze(-1) > rows.rows - 2 * self.f
            if not heavy.any():
                break
            variance, out_M = principal(squared_MM, weights_M / total)
            better = heavy & (variance < least)
            best_M, least = weights_M.where(better.unsqueeze(-1), best_M), variance.where(better, least)
            weights_M = (weights_M * (1 - out_M)).where(heavy.unsqueeze(-1), weights_M)
        return state, best_M / best_M.sum(-1, keepdim=True)
