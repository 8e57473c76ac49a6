"""The coordinate-wise trimmed mean."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from holdfast.aggregators.base import Robust
from holdfast.aggregators.order import in_order
from holdfast.types import State

__all__ = ["TrimmedMean"]


class TrimmedMean(Robust):
    """The mean of each coordinate without its f least and f greatest values.

    TM_d = 1 / (m - 2t) · Σ_{k=t+1}^{m-t} x_(k)d,  t = min(f, ⌊(m - 1) / 2⌋)

    over the m finite values of the coordinate in ascending order. Values that are not finite are missing, and
    a missing value does not count against f: it may have been an honest one that a link lost, so f are
    dropped at each end as long as 2f + 1 finite values remain, and below that as many as leave the middle one
    or two. A coordinate without any finite value becomes 0: an update of nothing. Each coordinate lies in the
    range of its honest values as long as those that are finite outnumber the lying ones. Weights are ignored,
    since a liar states its own. Sorts: O(M log M · D).

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> x_MD = torch.tensor([[1.0, 8.0], [2.0, float("nan")], [3.0, 4.0], [1e9, 5.0]])
        >>> TrimmedMean(f=1)(x_MD)
        tensor([2.5000, 5.0000])

    Reference:
        Yin et al., "Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates" (ICML 2018),
        Definition 2.
    """

    takes_missing: ClassVar[bool] = True

    def requires(self, f: int) -> int:
        """2f + 1 rows: an honest majority."""
        return 2 * f + 1

    def aggregate(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor]:
        """The state, unchanged, and the (…, D) trimmed mean of the (…, M, D) rows."""
        rows = x_MD.shape[-2]
        if torch.isfinite(x_MD).all():
            return state, x_MD.sort(dim=-2).values[..., self.f : rows - self.f, :].mean(-2)
        return state, self._of_the_finite(x_MD)

    def _of_the_finite(self, x_MD: Tensor) -> Tensor:
        ordered_MD, finite_1D = in_order(x_MD)
        trim_1D = ((finite_1D - 1) // 2).clamp(min=0, max=self.f)
        rank_M1 = torch.arange(x_MD.shape[-2], device=x_MD.device).unsqueeze(-1)
        keep_MD = (rank_M1 >= trim_1D) & (rank_M1 < finite_1D - trim_1D)
        return ordered_MD.where(keep_MD, 0).sum(-2) / keep_MD.sum(-2).clamp(min=1)
