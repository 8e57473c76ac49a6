"""Robust gossip by clipped sums, CS+: mixing by W in which the farthest 2f neighbours are clipped to the next."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.gossip import drawn, from_own, heaviest
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.shares import shares
from holdfast.types import State

__all__ = ["CsPlusRg"]

ROUNDING = 1e-12
"""By how much sums of the same weights may differ."""


class CsPlusRg(Robust, Weighing):
    """The own row, drawn by each neighbour as W says, with twice the liars' weight clipped; on graphs only.

    y = x_0 + Σ_j W_j · min(1, τ / d_j) · (x_j - x_0),  τ = max {d_k : Σ_{j before k} W_j ≥ 2b}

    where row 0 is the receiver's own, d_j = ‖x_j - x_0‖, the farthest rows come first, a tie in the order of the rows,
    and b is what the f heaviest neighbours weigh. So of equal weights the 2f farthest rows are clipped to the distance
    of the next, the (2f + 1)-th farthest; where the neighbours weigh less than 2b together, τ = 0 and the own row
    stays. With f = 0 it mixes by W. A row that is not finite draws nothing and counts among the farthest; an own row
    that is not finite stays as it is. Liars of weight b move the result by no more than b·τ. Costs O(M² · D) to read
    the distances once.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> import torch
        >>> CsPlusRg(f=1)(torch.tensor([[0.0], [1.0], [2.0], [90.0]]))
        tensor([0.7500])

    Reference:
        Gaucher, Dieuleveut & Hendrikx, "Unified Breakdown Analysis for Byzantine Robust Gossip" (ICML 2025): F-RG with
        F = CS+ and the step 1, which W contains; the threshold as in the authors' code, with b told from f and W.
    """

    on_graphs_only: ClassVar[bool] = True

    def requires(self, f: int) -> int:
        """2f + 1 rows: so many that there is a next after the 2f farthest."""
        return 2 * f + 1

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and the weights of the clipped mixing."""
        distances_M = from_own(rows)
        weights_M = shares(rows.rows, rows.weights_Q).to(distances_M.device).expand_as(distances_M)
        return state, drawn(weights_M, distances_M, self._radius(weights_M, distances_M))

    def _radius(self, weights_M: Tensor, distances_M: Tensor) -> Tensor:
        far_M = distances_M.sort(dim=-1, descending=True, stable=True)
        before_M = weights_M.gather(-1, far_M.indices).cumsum(-1).roll(1, -1)
        before_M[..., 0] = 0
        enough_M = before_M >= 2 * heaviest(weights_M, self.f) - ROUNDING
        return far_M.values.where(enough_M, 0).amax(-1, keepdim=True)
