"""The coordinate-wise trimmed mean."""

from __future__ import annotations

from holdfast.aggregators.base import CoordinateWise, Robust
from holdfast.kernels import Ranks

__all__ = ["TrimmedMean"]


class TrimmedMean(Robust, CoordinateWise):
    """The mean of each coordinate without its f least and f greatest values.

    TM_d = 1 / (m - 2t) · Σ_{k=t+1}^{m-t} x_(k)d,  t = min(f, ⌊(m - 1) / 2⌋)

    over the m finite values of the coordinate in ascending order. Values that are not finite are missing, and
    a missing value does not count against f: it may have been an honest one that a link lost, so f are
    dropped at each end as long as 2f + 1 finite values remain, and below that as many as leave the middle one
    or two. A coordinate without any finite value becomes 0: an update of nothing. Each coordinate lies in the
    range of its honest values as long as those that are finite outnumber the lying ones: the breakdown point is
    f/n, at most 1/2. Weights are ignored, since a liar states its own. Costs O(M log² M · D) comparisons in a
    sorting network that leaves both ends and the middle unordered.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> import torch
        >>> x_MD = torch.tensor([[1.0, 8.0], [2.0, float("nan")], [3.0, 4.0], [1e9, 5.0]])
        >>> TrimmedMean(f=1)(x_MD)
        tensor([2.5000, 5.0000])

    Reference:
        Yin et al., "Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates" (ICML 2018),
        Definition 2.
    """

    def ranks(self, rows: int) -> Ranks:
        """All but the f least and the f greatest."""
        return Ranks.of(rows, lambda m: trimmed(m, self.f))


def trimmed(present: int, f: int) -> tuple[int, int]:
    """The ranks that are left of so many values without the f least and greatest, and always the middle one or two.

    Example:
        >>> trimmed(7, 2), trimmed(4, 2)
        ((2, 5), (1, 3))
    """
    trim = min(f, (present - 1) // 2)
    return trim, present - trim
