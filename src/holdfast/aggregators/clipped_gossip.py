"""Clipped gossip: mixing by W in which no neighbour draws further than a radius."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.gossip import drawn, from_own, heaviest
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.scores import least
from holdfast.aggregators.shares import shares
from holdfast.types import State

__all__ = ["ClippedGossip"]


class ClippedGossip(Robust, Weighing):
    """The own row, drawn by each neighbour as W says, but by none further than a radius τ; on graphs only.

    y = x_0 + Σ_j W_j · min(1, τ / d_j) · (x_j - x_0),  d_j = ‖x_j - x_0‖

    where row 0 is the receiver's own. Without ``tau`` the radius is τ² = 1/b · Σ_{j ∈ S} W_j d_j², with S the n - f
    rows nearest to the own one, itself included, and b what the f heaviest neighbours weigh, the most that f liars can.
    With f = 0 it clips nothing and mixes by W; with ``tau`` f says only how many liars the rule must bear. A row that
    is not finite draws nothing and adds nothing to the radius; an own row that is not finite stays as it is. Liars of
    weight b move the result by no more than b·τ. Costs O(M² · D) to read the distances once.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> x_MD = torch.tensor([[0.0], [1.0], [2.0], [90.0]])
        >>> ClippedGossip(f=1, tau=2.0)(x_MD)
        tensor([1.2500])
        >>> ClippedGossip(f=1)(x_MD, torch.tensor([0.5, 0.25, 0.125, 0.125]))
        tensor([0.6830])

    Reference:
        He, Karimireddy & Jaggi, "Byzantine-Robust Decentralized Learning via ClippedGossip" (2022), Section 4;
        the radius of Theorem III over the rows that could be honest.
    """

    on_graphs_only: ClassVar[bool] = True
    tau: float | None = Field(None, gt=0, description="the radius, a Euclidean distance; none adapts it to the rows")

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and the weights of the clipped mixing."""
        distances_M = from_own(rows)
        weights_M = shares(rows.rows, rows.weights_Q).to(distances_M.device)
        return state, drawn(weights_M, distances_M, self._radius(weights_M, distances_M))

    def _radius(self, weights_M: Tensor, distances_M: Tensor) -> Tensor:
        if self.tau is not None:
            return distances_M.new_full((1,), self.tau)
        near_M = least(distances_M, distances_M.shape[-1] - self.f) & distances_M.isfinite()
        squares = (weights_M * distances_M.square()).where(near_M, 0).sum(-1, keepdim=True)
        b = heaviest(weights_M, self.f)
        return (squares / b).sqrt().where(b > 0, torch.inf)
