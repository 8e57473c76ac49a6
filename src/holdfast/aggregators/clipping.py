"""Clipping to a fixed length, before another rule."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from holdfast.aggregators.lengths import Shrinking

__all__ = ["Clipping"]


class Clipping(Shrinking):
    """Each row is scaled to a length of at most c, before another rule.

    y_i = min(1, c / ‖x_i‖) · x_i

    A row that is not finite is infinitely long and becomes 0, an update of nothing, so that no row is longer than c,
    whatever it held. Weights are kept. It bounds what a liar can add to a mean and is not robust otherwise: the
    breakdown point is that of the rule after it. Costs O(M · D) to read the rows once and to write the shorter ones
    down.

    Example:
        >>> import torch
        >>> Clipping(c=5.0).transform({}, torch.tensor([[12.0, 16.0], [1.0, 2.0]]))[1]
        tensor([[3., 4.],
                [1., 2.]])

    Reference:
        Sun, Kairouz, Suresh & McMahan, "Can You Really Backdoor Federated Learning?" (2019), which thresholds the
        norms of updates.
    """

    of_updates: ClassVar[bool] = True

    c: float = Field(1.0, gt=0, description="the greatest Euclidean norm of a row")

    def most(self, lengths_M: Tensor) -> float:
        """The length c."""
        return self.c
