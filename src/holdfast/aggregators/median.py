"""The coordinate-wise median."""

from __future__ import annotations

from pydantic import Field

from holdfast.aggregators.base import CoordinateWise, Robust
from holdfast.kernels import Ranks

__all__ = ["Median"]


class Median(Robust, CoordinateWise):
    """The median of each coordinate.

    Of m finite values in ascending order, x_(1) ≤ … ≤ x_(m), the middle one; of an even number, the mean of
    the middle two, or with ``upper`` the greater of them. Values that are not finite are missing; a
    coordinate without any finite value becomes 0: an update of nothing. Each coordinate lies in the range of
    its honest values as long as those that are finite outnumber the lying ones, which n ≥ 2f + 1 guarantees
    where no honest value is lost: the breakdown point is 1/2. Weights are ignored, since a liar states its own.
    Costs O(M log² M · D) comparisons in a sorting network that stops where only the middle matters.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> import torch
        >>> x_MD = torch.tensor([[1.0, 8.0], [2.0, float("nan")], [9.0, 4.0]])
        >>> Median(f=1)(x_MD)
        tensor([2., 6.])
        >>> Median(f=1, upper=True)(x_MD)
        tensor([2., 8.])

    Reference:
        Yin et al., "Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates" (ICML 2018),
        Definition 1.
    """

    upper: bool = Field(False, description="whether an even number of values yields the greater of the middle two")

    def ranks(self, rows: int) -> Ranks:
        """The middle one or two."""
        return Ranks.of(rows, lambda m: (m // 2 if self.upper else (m - 1) // 2, m // 2 + 1))
