"""The geometric median, by smoothed Weiszfeld steps."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.geometry import Geometry
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.spectrum import FAR
from holdfast.types import State

__all__ = ["GeometricMedian"]

HORIZON = 1e6
"""Rows this many times further out than others count as infinitely far: squared distances cannot place them."""


class GeometricMedian(Robust, Weighing):
    """The point whose distances to all rows have the least sum.

    GM = argmin_z Σ_i ‖x_i - z‖,  by  z ← Σ_i w_i x_i / Σ_i w_i,  w_i = 1 / max(ν, ‖x_i - z‖)

    until a step is at most ``tolerance`` · r, with r the least radius of a ball around a row that holds half of the
    rows, and at most ``iterations`` times. Where rows on a line are even in number, any point between the middle two is
    one. A row that is not finite, or whose own such radius is above a million times r, is left out: it would pull no
    harder than one that is near, but float64 cannot tell where to. Weights are ignored, since a liar states its own.
    The breakdown point is 1/2: with h honest rows of mean x̄, ‖GM - x̄‖ ≤ 2 h / (h - f) · max_i ‖x_i - x̄‖ over the
    honest. Costs O(M² · D) to read the distances once, O(M²) for each step, and the weighted sum.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> GeometricMedian(f=1)(torch.tensor([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])).abs()
        tensor([0., 0.])

    Reference:
        Pillutla, Kakade & Harchaoui, "Robust Aggregation for Federated Learning" (IEEE Transactions on Signal
        Processing, 2022); Minsker, "Geometric median and robust estimation in Banach spaces" (Bernoulli,
        2015), Lemma 2.1, for the bound.
    """

    tolerance: float = Field(1e-6, ge=0, description="the step at which to stop, as a fraction of the radius r")
    iterations: int = Field(100, ge=1, description="how many steps to take at most")
    smoothing: float = Field(1e-6, gt=0, description="ν, the least distance that a row counts with, in the rows' unit")

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and the weights of the rows in their median."""
        radius_M = _radius(rows.geometry).clamp(min=self.smoothing)
        least = radius_M.amin(-1, keepdim=True)
        near_M = radius_M <= HORIZON * least
        near_M = near_M | ~near_M.any(-1, keepdim=True)
        squared_MM = rows.geometry.between_MM.clamp(max=FAR).where(near_M.unsqueeze(-1) & near_M.unsqueeze(-2), 0)
        weights_M = _inverse(radius_M, near_M)
        moves = torch.ones_like(near_M[..., :1])
        for _ in range(self.iterations):
            next_M = _inverse(_distances(squared_MM, weights_M, self.smoothing), near_M)
            step = -_form(squared_MM, next_M - weights_M) / 2
            weights_M = next_M.where(moves, weights_M)
            moves = moves & (step > (self.tolerance * least).square())
            if not moves.any():
                break
        return state, weights_M


def _radius(geometry: Geometry) -> Tensor:
    """(…, M) how large a ball around each row holds half of the rows that are finite; inf around one that is not."""
    squared_MM, whole_M = geometry.between_MM, geometry.whole_M
    half_M = squared_MM.where(whole_M.unsqueeze(-2), torch.nan).nanmedian(-1).values.sqrt()
    return half_M.where(whole_M, torch.inf)


def _inverse(distances_M: Tensor, near_M: Tensor) -> Tensor:
    """(…, M) shares in inverse proportion to the distances of the rows that are near."""
    shares_M = (1 / distances_M).where(near_M, 0)
    return shares_M / shares_M.sum(-1, keepdim=True)


def _distances(squared_MM: Tensor, weights_M: Tensor, smoothing: float) -> Tensor:
    """(…, M) ‖x_j - z‖ with z = Σ_i w_i x_i, from Σ_i w_i D_ij - ½ wᵀDw, and at least the smoothing."""
    toward_M = (squared_MM * weights_M.unsqueeze(-2)).sum(-1)
    return (toward_M - _form(squared_MM, weights_M) / 2).clamp(min=smoothing**2).sqrt()


def _form(squared_MM: Tensor, weights_M: Tensor) -> Tensor:
    """(…, 1) wᵀDw, summed inbox by inbox in the same order however many there are."""
    return ((squared_MM * weights_M.unsqueeze(-2)).sum(-1) * weights_M).sum(-1, keepdim=True)
