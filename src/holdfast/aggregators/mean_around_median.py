"""The mean around the median."""

from __future__ import annotations

from holdfast.aggregators.base import CoordinateWise, Robust
from holdfast.kernels import Ranks

__all__ = ["MeanAroundMedian"]


class MeanAroundMedian(Robust, CoordinateWise):
    """The mean of the n - f values of each coordinate that lie nearest to its median.

    MeaMed_d = 1 / k · Σ_{x ∈ N_k(med_d)} x,  k = max(1, m - f)

    where N_k are the k of the m finite values nearest to their median, a tie going to the lesser value. Values that
    are not finite are missing; a coordinate without any finite value becomes 0: an update of nothing. Also known
    as averaged median. The result lies within the honest range widened by its width, the breakdown point is 1/2.
    Weights are ignored, since a liar states its own. Costs O(M log² M · D) comparisons to sort.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> import torch
        >>> MeanAroundMedian(f=1)(torch.tensor([[1.0], [2.0], [6.0]]))
        tensor([1.5000])

    Reference:
        Xie, Koyejo & Gupta, "Generalized Byzantine-tolerant SGD" (2018), Definition 7.
    """

    def ranks(self, rows: int) -> Ranks:
        """The middle one or two, and how many values around them to keep."""
        return Ranks.of(rows, lambda m: ((m - 1) // 2, m // 2 + 1), lambda m: max(1, m - self.f))
