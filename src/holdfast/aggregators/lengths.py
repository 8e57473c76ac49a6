"""How long rows are, and rows made shorter."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from holdfast import kernels
from holdfast.aggregators.base import PreAggregator
from holdfast.aggregators.mixture import Mixture
from holdfast.types import State

__all__ = ["Shrinking", "lengths", "shrinkage"]


def lengths(rows: Mixture, centre_D: Tensor | None = None) -> Tensor:
    """(…, M) how far each row is from a (…, D) centre, or from the origin; inf for a row that is not finite.

    Rows as they came are read once, so this costs O(M · D) where all their distances cost O(M² · D).

    Example:
        >>> lengths(Mixture(torch.tensor([[3.0, 4.0], [1.0, 0.0], [torch.nan, 0.0]])))
        tensor([5., 1., inf], dtype=torch.float64)
    """
    if rows.shares_QM is not None:
        return rows.geometry.norms_M if centre_D is None else rows.seen_from(centre_D).from_pivot_M
    squared_M = kernels.squared_lengths(rows.x_MD, centre_D)
    if not squared_M.isfinite().all():  # broken, or too long for float32
        squared_M = kernels.squared_lengths_by_blocks(rows.x_MD, centre_D, torch.float64)
    return squared_M.where(squared_M.isfinite(), torch.inf).sqrt()


def shrinkage(lengths_M: Tensor, most: float | Tensor) -> Tensor:
    """What is left of each row where none may be longer than ``most``: nothing of one that is infinitely long.

    Example:
        >>> shrinkage(torch.tensor([0.0, 2.0, 8.0, torch.inf]), 4.0)
        tensor([1.0000, 1.0000, 0.5000, 0.0000])
    """
    return (most / lengths_M).where(lengths_M > most, 1).where(lengths_M.isfinite(), 0)


class Shrinking(PreAggregator):
    """A stage that makes rows shorter where they are longer than some length; it keeps their weights.

    The new rows are written down instead of told from the geometry of the old ones: next to the square of a distance to
    a row that lies far away, the direction in which it lies is lost in rounding, and that is all that shrinking leaves.
    """

    @abstractmethod
    def most(self, lengths_M: Tensor) -> float | Tensor:
        """The greatest length that a row may keep, or one for each inbox, (…, 1)."""

    def transform(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor, Tensor | None]:
        """The state, unchanged, the (…, M, D) shorter rows and their weights."""
        lengths_M = lengths(Mixture(x_MD))
        scale_M = shrinkage(lengths_M, self.most(lengths_M))
        root_M1 = scale_M.sqrt().unsqueeze(-1).to(x_MD)  # half of it at a time: all of it may be too small a number
        short_MD = (x_MD * root_M1).mul_(root_M1)
        short_MD[scale_M == 0] = 0
        return state, short_MD, weights_M
