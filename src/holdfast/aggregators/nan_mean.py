"""The weighted mean of what has arrived."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.shares import shares
from holdfast.types import State

__all__ = ["NanMean"]


class NanMean(Aggregator):
    """The weighted mean of the finite values of each coordinate, for links that lose parts of rows.

    x̄_d = Σ_{i ∈ F_d} w_i x_id / Σ_{i ∈ F_d} w_i, where F_d are the rows whose value of coordinate d is
    finite

    A coordinate without any finite value, or whose finite values all weigh 0, becomes 0: an update of
    nothing. Lost values are survived, lies are not. Two matrix products: 2·M·D multiplications.

    Example:
        >>> import torch
        >>> nan = float("nan")
        >>> NanMean()(torch.tensor([[1.0, nan, nan], [3.0, 6.0, nan]]))
        tensor([2., 6., 0.])

    Reference:
        Damaskinos et al., "AggregaThor: Byzantine Machine Learning via Robust Gradient Aggregation" (SysML
        2019), which averages what its lossy links deliver.
    """

    takes_missing: ClassVar[bool] = True

    def aggregate(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor]:
        """The state, unchanged, and the (…, D) weighted mean of the finite values of the (…, M, D) rows."""
        finite_MD = torch.isfinite(x_MD)
        share_1M = shares(x_MD, weights_M).unsqueeze(-2)
        total_D = (share_1M @ finite_MD.to(x_MD.dtype)).squeeze(-2)
        mean_D = (share_1M @ x_MD.where(finite_MD, 0)).squeeze(-2) / total_D
        return state, mean_D.where(total_D > 0, 0)
