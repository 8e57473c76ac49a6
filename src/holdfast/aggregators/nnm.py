"""Nearest-neighbour mixing, before another rule."""

from __future__ import annotations

import torch
from torch import Tensor

from holdfast.aggregators.base import PreAggregator, Robust
from holdfast.aggregators.distances import squared_distances
from holdfast.types import State

__all__ = ["Nnm"]


class Nnm(PreAggregator, Robust):
    """Each row becomes the mean of its n - f nearest rows, itself included, before another rule.

    y_i = 1 / (n - f) · Σ_{j ∈ N_i} x_j

    where N_i are the n - f rows nearest to row i, itself at distance 0; a tie goes to the lower row. A row
    that is not finite is at infinite distance from everybody: it stays out of the others' means wherever a
    finite row is left, and becomes NaN itself, for the next rule to treat by its policy. Mixing makes the
    honest rows alike, which any robust rule after it gains from; alone it is not robust. Weights are dropped,
    since a liar states its own. Three matrix products: O(M² · D) multiplications.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> Nnm(f=1).transform({}, torch.tensor([[0.0], [1.0], [5.0]]))[1].flatten()
        tensor([0.5000, 0.5000, 3.0000])

    Reference:
        Allouah et al., "Fixing by Mixing: A Recipe for Optimal Byzantine ML under Heterogeneity" (AISTATS
        2023), Algorithm 2.
    """

    def requires(self, f: int) -> int:
        """2f + 1 rows: an honest majority."""
        return 2 * f + 1

    def transform(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor, Tensor | None]:
        """The state, unchanged, the (…, M, D) mixed rows, and no weights."""
        distances_MM = squared_distances(x_MD)
        broken_M1 = torch.isinf(distances_MM.diagonal(dim1=-2, dim2=-1)).unsqueeze(-1)
        share_MM = self._shares(distances_MM)
        mixed_MD = share_MM @ x_MD.where(~broken_M1, 0)  # a weight of 0 does not silence NaN
        return state, mixed_MD.where(~broken_M1, torch.nan), None

    def _shares(self, distances_MM: Tensor) -> Tensor:
        """(…, M, M) the weight of each row in each row's mean; a row is its own nearest, at distance 0."""
        nearest_MM = distances_MM.argsort(dim=-1, stable=True)[..., : distances_MM.shape[-1] - self.f]
        counts_MM = torch.zeros_like(distances_MM).scatter(-1, nearest_MM, 1)
        counts_MM = counts_MM.where(torch.isfinite(distances_MM), 0)
        return counts_MM / counts_MM.sum(-1, keepdim=True).clamp(min=1)
