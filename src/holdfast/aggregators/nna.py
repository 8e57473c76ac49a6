"""Nearest-neighbour averaging: the mean of the rows nearest to the own one."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.gossip import from_own
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.scores import least
from holdfast.types import State

__all__ = ["Nna"]


class Nna(Robust, Weighing):
    """The mean of the n - f rows nearest to the own one, itself included; on graphs only.

    NNA = 1 / (n - f) · Σ_{j ∈ N} x_j

    where row 0 is the receiver's own and N are the n - f rows nearest to it, itself always among them; a tie goes to
    the lower row. A row that is not finite is left out of the mean; an own row that is not finite stays as it is.
    Weights are ignored, since each counts for one. Among n nodes that all hear each other, n > 5f suffices for
    averaging to converge. Costs O(M² · D) to read the distances once, and the mean.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> Nna(f=1)(torch.tensor([[1.0], [90.0], [2.0], [0.0]]))
        tensor([1.])

    Reference:
        Farhadkhani et al., "Robust Collaborative Learning with Linear Gradient Overhead" (ICML 2023), Section 3.
    """

    on_graphs_only: ClassVar[bool] = True

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and equal weights on the own row and those nearest to it."""
        distances_M = from_own(rows)
        own_M = torch.arange(rows.rows, device=distances_M.device) == 0
        near_M = least(distances_M.where(~own_M, -1), rows.rows - self.f) & (distances_M.isfinite() | own_M)
        return state, near_M / near_M.sum(-1, keepdim=True, dtype=distances_M.dtype)
