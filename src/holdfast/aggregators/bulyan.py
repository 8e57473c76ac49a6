"""Bulyan: coordinate by coordinate, the mean around the median of the rows that Krum selects."""

from __future__ import annotations

import torch
from torch import Tensor

from holdfast.aggregators.base import OfMixtures, Robust
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.scores import least
from holdfast.kernels import Ranks
from holdfast.types import State

__all__ = ["Bulyan", "left_scores"]


class Bulyan(Robust, OfMixtures):
    """The mean of the values of each coordinate that lie nearest to its median, among rows that Krum selects.

    Bulyan_d = 1 / β · Σ_{y ∈ N_β(med_d)} y,  θ = n - 2f,  β = θ - 2f

    where the θ rows are selected one by one: each wins Krum among the r rows that remain, with max(1, r - f - 2)
    neighbours out of them. The median of an even number is the mean of the middle two, and N_β the β values of the
    selected nearest to it, a tie going to the lesser; a tie in Krum goes to the lower row, and with a single neighbour
    two rows that are nearest to each other do tie. A row that is not finite is never selected and nobody's neighbour:
    where fewer than θ are finite, all of those are selected, and all but 2f of their values are kept, at least the
    middle one or two. Weights are ignored, since a liar states its own. It survives f ≤ (n - 3) / 4 arbitrary rows, and
    unlike Krum alone bounds what they can do to a single coordinate. Costs O(M² · D) to read the distances once, O(M³)
    to select, and O(M log² M · D) comparisons to sort.

    Raises:
        InputError: when called on fewer than 4f + 3 rows.

    Example:
        >>> Bulyan(f=1)(torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0], [90.0]]))
        tensor([2.])

    Reference:
        El Mhamdi, Guerraoui & Rouault, "The Hidden Vulnerability of Distributed Learning in Byzantium" (ICML 2018),
        Section 4.
    """

    def requires(self, f: int) -> int:
        """4f + 3 rows, so that in each coordinate a majority of honest values surrounds the median."""
        return 4 * f + 3

    def aggregate_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Tensor]:
        """The state, unchanged, and the (…, D) aggregate of the (…, M, D) rows."""
        chosen_SM = self.chosen(rows).double()
        shares_SM = chosen_SM / chosen_SM.sum(-1, keepdim=True)  # of nobody NaN: missing in every coordinate
        return state, rows.mixed(shares_SM).ordered(self.ranks(shares_SM.shape[-2]))

    def ranks(self, count: int) -> Ranks:
        """Of so many selected rows the middle one or two, and around them all but 2f values, or those alone."""
        return Ranks.of(count, lambda m: ((m - 1) // 2, m // 2 + 1), lambda m: max(2 - m % 2, m - 2 * self.f))

    def chosen(self, rows: Mixture) -> Tensor:
        """(…, S, M) of which rows each selected one is the mean: one, or none where no finite row is left."""
        values_MM, order_MM = rows.geometry.between_MM.sort(-1)
        whole_M, picked = rows.geometry.whole_M, []
        left_M = whole_M
        for remaining in range(rows.rows, 2 * self.f, -1):
            left_MM = left_M.unsqueeze(-2).expand_as(order_MM).gather(-1, order_MM)
            near_MM = left_MM & (left_MM.cumsum(-1) <= max(1, remaining - self.f - 2) + 1)  # each row itself, at 0
            best_M = least(left_scores(values_MM, near_MM, left_M), 1) & left_M
            picked.append(best_M)
            left_M = left_M & ~best_M
        return torch.stack(picked, dim=-2)


def left_scores(squared_MM: Tensor, counted_MM: Tensor, left_M: Tensor) -> Tensor:
    """(…, M) the sum of the distances that count for each row; inf, and only then, for a row that is out.

    Example:
        >>> counted_M = left_M = torch.tensor([True, False])
        >>> left_scores(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), counted_M, left_M)
        tensor([1., inf])
    """
    scores_M = squared_MM.where(counted_MM, 0).sum(-1).clamp(max=torch.finfo(squared_MM.dtype).max)
    return scores_M.where(left_M, torch.inf)
