"""The coordinate-wise median."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import Robust
from holdfast.aggregators.order import in_order
from holdfast.types import State

__all__ = ["Median"]


class Median(Robust):
    """The median of each coordinate.

    Of m finite values in ascending order, x_(1) ≤ … ≤ x_(m), the middle one; of an even number, the mean of
    the middle two, or with ``upper`` the greater of them. Values that are not finite are missing; a
    coordinate without any finite value becomes 0: an update of nothing. Each coordinate lies in the range of
    its honest values as long as those that are finite outnumber the lying ones, which n ≥ 2f + 1 guarantees
    where no honest value is lost. Weights are ignored, since a liar states its own. Sorts: O(M log M · D).

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

    takes_missing: ClassVar[bool] = True

    upper: bool = Field(False, description="whether an even number of values yields the greater of the middle two")

    def requires(self, f: int) -> int:
        """2f + 1 rows: an honest majority."""
        return 2 * f + 1

    def aggregate(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor]:
        """The state, unchanged, and the (…, D) median of the (…, M, D) rows."""
        ordered_MD, finite_1D = in_order(x_MD)
        high_D = ordered_MD.take_along_dim(finite_1D // 2, dim=-2).squeeze(-2)
        low_D = ordered_MD.take_along_dim((finite_1D - 1).clamp(min=0) // 2, dim=-2).squeeze(-2)
        middle_D = high_D if self.upper else 0.5 * low_D + 0.5 * high_D
        return state, middle_D.where(torch.isfinite(middle_D), 0)
