"""Centred clipping: short steps from the last aggregate towards the rows."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import OfMixtures
from holdfast.aggregators.lengths import lengths, shrinkage
from holdfast.aggregators.mixture import Mixture
from holdfast.types import State

__all__ = ["CenteredClipping"]


class CenteredClipping(OfMixtures):
    """The centre of the last round, moved by the mean of the clipped differences to the rows, some times over.

    v ← v + 1/n · Σ_i min(1, τ / ‖x_i - v‖) · (x_i - v),  L times

    v is carried over from round to round; at first it is the pivot where there is one, else 0. A row that is not
    finite is at infinite distance and moves nothing. Weights are ignored, since a liar states its own. One row moves
    v by at most τ / n an iteration, wherever it lies. With f lying rows, and all honest ones within τ of v, one
    iteration ends within (f / n) · (‖x̄ - v‖ + τ) of their mean x̄; so there is no f to declare, and the breakdown
    point is 1/2 where the honest rows are close to v.
    One iteration costs O(M · D) to read the rows twice; more of them cost O(M² · D), and O(M²) for each.

    Example:
        >>> import torch
        >>> x_MD, rule = torch.tensor([[1.0, 0.0], [2.0, 0.0], [300.0, 400.0]]), CenteredClipping(tau=5.0)
        >>> state, v_D = rule.aggregate({}, x_MD)
        >>> v_D
        tensor([2.0000, 1.3333])
        >>> bool((state["centre"] == v_D).all())
        True

    Reference:
        Karimireddy, He & Jaggi, "Learning from History for Byzantine Robust Optimization" (ICML 2021), Section 4.
    """

    tau: float = Field(10.0, gt=0, description="the greatest distance to a row that counts in full, a Euclidean norm")
    iterations: int = Field(1, ge=1, description="how many times the centre moves each round")

    def aggregate_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Tensor]:
        """The state with the new centre, and the (…, D) centre itself."""
        start_D = rows.x_MD.new_zeros(()) if pivot_D is None else pivot_D
        shape = (*rows.x_MD.shape[:-2], rows.x_MD.shape[-1])
        centre_D = state.get("centre", start_D).to(rows.x_MD).expand(shape)
        weights_M = self._weights(rows, centre_D)
        kept_1 = 1 - weights_M.sum(-1, keepdim=True)
        centre_D = (rows.combined(weights_M).double() + kept_1 * centre_D.double()).to(centre_D.dtype)
        return state | {"centre": centre_D}, centre_D

    def _weights(self, rows: Mixture, centre_D: Tensor) -> Tensor:
        """(…, M) w, where v = v_0 + Σ_i w_i (x_i - v_0) is the centre in the end."""
        if self.iterations == 1:  # as far as here it does not matter in which direction a row lies
            return shrinkage(lengths(rows, centre_D), self.tau) / rows.rows
        return self._weights_from(_products(rows, centre_D))

    def _weights_from(self, products_MM: Tensor) -> Tensor:
        """The same, told from the inner products of the differences to v_0."""
        whole_M = products_MM.diagonal(dim1=-2, dim2=-1).isfinite()
        products_MM = products_MM.where(whole_M.unsqueeze(-1) & whole_M.unsqueeze(-2), 0)
        own_M, weights_M = products_MM.diagonal(dim1=-2, dim2=-1), torch.zeros_like(whole_M, dtype=torch.float64)
        for _ in range(self.iterations):
            along_M = (products_MM @ weights_M.unsqueeze(-1)).squeeze(-1)
            squared_M = own_M - 2 * along_M + (weights_M * along_M).sum(-1, keepdim=True)
            pull_M = shrinkage(squared_M.clamp(min=0).sqrt(), self.tau) * whole_M / whole_M.shape[-1]
            weights_M = weights_M + pull_M - pull_M.sum(-1, keepdim=True) * weights_M
        return weights_M


def _products(rows: Mixture, centre_D: Tensor) -> Tensor:
    """(…, M, M) the inner products ⟨x_i - v, x_j - v⟩, block by block in float64.

    Unlike squared distances they tell in which direction a row lies however far away it is: a product is as exact as
    ‖x_i - v‖ · ‖x_j - v‖ is large, a squared distance only as the greater of the two squares.
    """
    products_MM = torch.zeros((), dtype=torch.float64, device=centre_D.device)
    for x_MC, centre_C in rows.blocks_beside(centre_D):
        apart_MC = x_MC.double() - centre_C.unsqueeze(-2).double()
        products_MM = products_MM + apart_MC @ apart_MC.mT
    return products_MM
