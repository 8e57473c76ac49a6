"""The weighted mean of what has arrived."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.shares import shares
from holdfast.kernels import present_mean
from holdfast.types import State

__all__ = ["NanMean"]


class NanMean(Aggregator):
    """The weighted mean of the finite values of each coordinate, for links that lose parts of rows.

    x̄_d = Σ_{i ∈ F_d} w_i x_id / Σ_{i ∈ F_d} w_i, where F_d are the rows whose value of coordinate d is
    finite

    A coordinate without any finite value, or whose finite values all weigh 0, becomes 0: an update of
    nothing. Lost values are survived, lies are not. The input is read once.

    Example:
        >>> import torch
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
        share_M = shares(x_MD.shape[-2], weights_M).nan_to_num(0).to(x_MD.device)
        return state, present_mean(x_MD, share_M)
