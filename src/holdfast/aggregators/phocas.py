"""Phocas: the mean around the trimmed mean."""

from __future__ import annotations

from holdfast.aggregators.base import CoordinateWise, Robust
from holdfast.aggregators.trimmed_mean import trimmed
from holdfast.kernels import Ranks

__all__ = ["Phocas"]


class Phocas(Robust, CoordinateWise):
    """The mean of the n - f values of each coordinate that lie nearest to its trimmed mean.

    Phocas_d = 1 / k · Σ_{x ∈ N_k(TM_d)} x,  k = max(1, m - f)

    where N_k are the k of the m finite values nearest to their f-trimmed mean, a tie going to the lesser value. Values
    that are not finite are missing; a coordinate without any finite value becomes 0: an update of nothing. The
    breakdown point is 1/2. Weights are ignored, since a liar states its own. Costs O(M log² M · D) comparisons to
    sort.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> import torch
        >>> Phocas(f=1)(torch.tensor([[0.0], [1.0], [4.0], [5.0], [9.0]]))
        tensor([2.5000])

    Reference:
        Xie, Koyejo & Gupta, "Phocas: dimensional Byzantine-resilient stochastic gradient descent" (2018),
        Definition 8.
    """

    def ranks(self, rows: int) -> Ranks:
        """What the trimmed mean takes, and how many values around it to keep."""
        return Ranks.of(rows, lambda m: trimmed(m, self.f), lambda m: max(1, m - self.f))
