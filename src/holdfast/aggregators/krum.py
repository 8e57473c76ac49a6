"""Krum: the one row that is nearest to its neighbours."""

from __future__ import annotations

from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.scores import krum_scores, least
from holdfast.types import State

__all__ = ["Krum"]


class Krum(Robust, Weighing):
    """The row whose n - f - 2 nearest others are nearest to it.

    Kr = x_{i*},  i* = argmin_i s_i,  s_i = Σ_{j ∈ N_i} ‖x_i - x_j‖²

    where N_i are the n - f - 2 rows nearest to row i, without itself. A tie goes to the lower row. A row that
    is not finite is at infinite distance from everybody and wins only where there is no other. Weights are
    ignored, since a liar states its own. Alone it survives f < (n - 2) / 2 arbitrary rows, but it keeps the variance of
    one row, so small lies together can lead it. Costs O(M² · D) to read the distances once.

    Raises:
        InputError: when called on fewer than 2f + 3 rows.

    Example:
        >>> import torch
        >>> Krum(f=1)(torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 2.0], [2.0, 2.0], [90.0, 90.0]]))
        tensor([1., 2.])

    Reference:
        Blanchard et al., "Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent" (NeurIPS
        2017), Section 4.
    """

    def requires(self, f: int) -> int:
        """2f + 3 rows: so many that the neighbours of the winner include an honest majority."""
        return 2 * f + 3

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and all weight on the row that wins."""
        scores_M = krum_scores(rows.geometry.between_MM, rows.rows - self.f - 2)
        return state, least(scores_M, 1).double()
