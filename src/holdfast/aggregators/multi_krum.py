"""Multi-Krum: the mean of the rows that Krum likes best."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.scores import krum_scores, least, mean_of
from holdfast.errors import InputError
from holdfast.types import State

__all__ = ["MultiKrum"]


class MultiKrum(Robust, Weighing):
    """The mean of the m rows of least Krum score.

    MK = 1/m · Σ_{i ∈ S} x_i,  S the m rows of least s_i = Σ_{j ∈ N_i} ‖x_i - x_j‖²

    where N_i are the n - f - 2 rows nearest to row i, without itself. A tie goes to the lower row. A row that
    is not finite is at infinite distance from everybody: it is left out of the mean wherever a finite row is
    left. Weights are ignored, since a liar states its own. It survives f < (n - 2) / 2 arbitrary rows. Costs
    O(M² · D) to read the distances once, and the mean.

    Raises:
        InputError: when called on fewer than 2f + 3 or m + f + 2 rows.

    Example:
        >>> import torch
        >>> x_MD = torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 2.0], [2.0, 2.0], [90.0, 90.0]])
        >>> MultiKrum(f=1)(x_MD)
        tensor([1.0000, 1.5000])
        >>> MultiKrum(f=1, m=1)(x_MD)
        tensor([1., 2.])

    Reference:
        Blanchard et al., "Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent" (NeurIPS
        2017), Section 6; m = n - f - 2 as in Damaskinos et al., "AggregaThor" (SysML 2019).
    """

    m: int | None = Field(None, ge=1, description="how many rows to average, at most n - f - 2; none for all of those")

    def requires(self, f: int) -> int:
        """2f + 3 rows, as Krum."""
        return 2 * f + 3

    @property
    def least(self) -> int:
        """The least number of rows for this f and this m: 2f + 3, and m + f + 2."""
        return max(self.requires(self.f), (self.m or 1) + self.f + 2)

    def check(self, rows: int) -> None:
        """Refuse a number of rows with which the rule cannot keep its promise.

        Raises:
            InputError: fewer than `least` rows, naming ``m`` where only that stands in the way.
        """
        if self.m is not None and self.requires(self.f) <= rows < self.least:
            most = rows - self.f - 2
            remedy = f"Use m: {most} or less, or leave m out."
            raise InputError("m", f"be at most rows - f - 2, here {most}", self.m, remedy)
        super().check(rows)

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and equal weights on the m best rows."""
        scores_M = krum_scores(rows.geometry.between_MM, rows.rows - self.f - 2)
        return state, mean_of(least(scores_M, self.m or rows.rows - self.f - 2), scores_M)
