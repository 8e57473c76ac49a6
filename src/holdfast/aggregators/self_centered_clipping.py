"""Self-centred clipping: the mean of the neighbourhood, clipped around the own row."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.gossip import drawn, from_own
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.shares import shares
from holdfast.types import State

__all__ = ["SelfCenteredClipping"]


class SelfCenteredClipping(Robust, Weighing):
    """The own row, drawn equally by each neighbour, but by none further than a radius τ; on graphs only.

    y = x_0 + 1/n · Σ_j min(1, τ / d_j) · (x_j - x_0),  d_j = ‖x_j - x_0‖

    where row 0 is the receiver's own. It differs from clipped gossip in two points: weights are ignored, and without
    ``tau`` the radius is the (f + 1)-th greatest distance, so that the f farthest rows are clipped to the next. A row
    that is not finite draws nothing; an own row that is not finite stays as it is. f liars move the result by no more
    than f/n · τ. Costs O(M² · D) to read the distances once.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> import torch
        >>> SelfCenteredClipping(f=1)(torch.tensor([[0.0], [1.0], [2.0], [90.0]]))
        tensor([1.2500])

    Reference:
        He, Karimireddy & Jaggi, "Byzantine-Robust Decentralized Learning via Self-Centered Clipping" (2022, the first
        version of clipped gossip's paper), with the radius of the authors' experiments, which is that of f = 1.
    """

    on_graphs_only: ClassVar[bool] = True
    tau: float | None = Field(None, gt=0, description="the radius, a Euclidean distance; none adapts it to the rows")

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and the weights of the clipped mean."""
        distances_M = from_own(rows)
        weights_M = shares(rows.rows, None).to(distances_M.device)
        return state, drawn(weights_M, distances_M, self._radius(distances_M))

    def _radius(self, distances_M: Tensor) -> Tensor:
        if self.tau is not None:
            return distances_M.new_full((1,), self.tau)
        return distances_M.sort(-1, descending=True).values[..., self.f : self.f + 1]
