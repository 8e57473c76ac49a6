"""Nearest-neighbour mixing, before another rule."""

from __future__ import annotations

import torch
from torch import Tensor

from holdfast.aggregators.base import Mixing, Robust
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.scores import least
from holdfast.types import State

__all__ = ["Nnm"]


class Nnm(Robust, Mixing):
    """Each row becomes the mean of its n - f nearest rows, itself included, before another rule.

    y_i = 1 / (n - f) · Σ_{j ∈ N_i} x_j

    where N_i are the n - f rows nearest to row i, itself at distance 0; a tie goes to the lower row. A row
    that is not finite is at infinite distance from everybody: it stays out of the others' means and as it is
    itself, for the next rule to treat by its policy. Mixing makes the honest rows alike, which any robust rule
    after it gains from; alone it is not robust. Weights are dropped, since a liar states its own. Costs
    O(M² · D) to read the distances once; the mixtures are never written down unless the next rule must see them.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> import torch
        >>> Nnm(f=1).transform({}, torch.tensor([[0.0], [1.0], [5.0]]))[1].flatten()
        tensor([0.5000, 0.5000, 3.0000])

    Reference:
        Allouah et al., "Fixing by Mixing: A Recipe for Optimal Byzantine ML under Heterogeneity" (AISTATS
        2023), Algorithm 2.
    """

    def share(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and equal shares of each row's nearest, which itself is at distance 0."""
        squared_MM = rows.geometry.between_MM
        itself_MM = torch.eye(rows.rows, dtype=torch.bool, device=squared_MM.device)
        near_MM = least(squared_MM.where(~itself_MM, -1), rows.rows - self.f) & (squared_MM.isfinite() | itself_MM)
        return state, near_MM / near_MM.sum(-1, keepdim=True, dtype=squared_MM.dtype)
