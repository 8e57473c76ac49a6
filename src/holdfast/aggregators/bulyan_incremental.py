"""Bulyan over means of rows whose Krum scores are kept up to date instead of computed anew."""

from __future__ import annotations

import torch
from torch import Tensor

from holdfast.aggregators.bulyan import Bulyan, left_scores
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.scores import least

__all__ = ["BulyanIncremental"]


class BulyanIncremental(Bulyan):
    """The mean of the values of each coordinate nearest to its median, among shrinking Multi-Krum means.

    BI_d = 1 / b · Σ_{y ∈ N_b(med_d)} y,  y_k = mean of the m - k best rows left

    for k = 0 … t - 1, with m = n - f - 2, t = n - 2f - 2 and b = t - 2f. A row's score is the sum of its squared
    distances to its m nearest others of all rows; after each mean the best row leaves, and with it its distance leaves
    the scores of the rows that counted it: nobody takes its place, as in AggregaThor, unlike in `bulyan`. The median of
    an even number is the mean of the middle two, where AggregaThor takes the upper; N_b are the b values nearest to it,
    a tie going to the lesser; a tie in a score or a distance goes to the lower row. A row that is not finite is in no
    mean: where too few are left for one, it is of those that are, and without any that one is missing. Weights are
    ignored, since a liar states its own. It survives f ≤ (n - 3) / 4 arbitrary rows. Costs O(M² · D) to read the
    distances once, O(M³) to select, and O(M² · D + M log² M · D) to mix and sort.

    Raises:
        InputError: when called on fewer than 4f + 3 rows.

    Example:
        >>> BulyanIncremental(f=1)(torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [90.0]]))
        tensor([2.5000])

    Reference:
        Damaskinos et al., "AggregaThor: Byzantine Machine Learning via Robust Gradient Aggregation" (SysML 2019), and
        the operation ``bulyan`` of its release.
    """

    def chosen(self, rows: Mixture) -> Tensor:
        """(…, S, M) of which rows each selected one is the mean."""
        squared_MM, left_M, picked = rows.geometry.between_MM, rows.geometry.whole_M, []
        best = rows.rows - self.f - 2
        itself_MM = torch.eye(rows.rows, dtype=torch.bool, device=squared_MM.device)
        near_MM = least(squared_MM.where(~itself_MM, torch.nan), best)  # itself comes last
        for taken in range(rows.rows - 2 * self.f - 2):
            scores_M = left_scores(squared_MM, near_MM & left_M.unsqueeze(-2), left_M)
            picked.append(least(scores_M, best - taken) & left_M)
            left_M = left_M & ~least(scores_M, 1)
        return torch.stack(picked, dim=-2)
