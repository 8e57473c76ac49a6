"""Adaptive robust clipping, before another rule."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from holdfast.aggregators.base import Robust
from holdfast.aggregators.lengths import Shrinking

__all__ = ["Arc"]


class Arc(Robust, Shrinking):
    """The longest rows are scaled to the length of the next longest, before another rule.

    y_i = min(1, C / ‖x_i‖) · x_i,  C the (k + 1)-th greatest norm,  k = ⌊2 (f / n) (n - f)⌋

    As k ≥ f, no new row is longer than the longest honest one. A row that is not finite is infinitely long and
    becomes 0, an update of nothing. Weights are kept. Alone it is not robust: the breakdown point is that of the rule
    after it, at most 1/2. Costs O(M · D) to read the rows once and to write the shorter ones down.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> import torch
        >>> Arc(f=1).transform({}, torch.tensor([[12.0, 16.0], [3.0, 4.0], [1.0, 2.0], [0.0, 1.0]]))[1]
        tensor([[3., 4.],
                [3., 4.],
                [1., 2.],
                [0., 1.]])

    Reference:
        Allouah et al., "Adaptive Gradient Clipping for Robust Federated Learning" (ICLR 2025), Algorithm 2.
    """

    of_updates: ClassVar[bool] = True

    def most(self, lengths_M: Tensor) -> Tensor:
        """(…, 1) the greatest length that is left without the k greatest."""
        rows = lengths_M.shape[-1]
        clipped = 2 * self.f * (rows - self.f) // rows
        return lengths_M.sort(-1, descending=True).values[..., clipped : clipped + 1]
