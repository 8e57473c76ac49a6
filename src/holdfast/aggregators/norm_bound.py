"""The mean of rows of bounded length."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import Weighing
from holdfast.aggregators.lengths import lengths, shrinkage
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.shares import shares
from holdfast.types import State

__all__ = ["NormBound"]


class NormBound(Weighing):
    """The weighted mean of the rows, each scaled to a length of at most c first.

    NB = Σ_i w_i · min(1, c / ‖x_i‖) · x_i / Σ_i w_i

    A row that is not finite is infinitely long and counts as 0, an update of nothing. The result is never longer than
    c, and one row moves it by at most 2c times its share; but weights are honoured although a liar states its own,
    and many small lies add up, so there is no breakdown point. Costs O(M · D): the input is read twice.

    Example:
        >>> import torch
        >>> NormBound(c=5.0)(torch.tensor([[6.0, 8.0], [1.0, 2.0]]))
        tensor([2., 3.])

    Reference:
        Sun, Kairouz, Suresh & McMahan, "Can You Really Backdoor Federated Learning?" (2019), which thresholds the
        norms of updates.
    """

    of_updates: ClassVar[bool] = True

    c: float = Field(1.0, gt=0, description="the greatest Euclidean norm of a row in the mean")

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and the (…, M) shares that the rows state, less what is cut off their length."""
        scale_M = shrinkage(lengths(rows), self.c)
        return state, shares(rows.rows, rows.weights_Q).to(scale_M) * scale_M
