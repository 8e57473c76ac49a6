"""Comparative gradient elimination: the mean of the shortest rows."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.lengths import lengths
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.scores import least, mean_of
from holdfast.types import State

__all__ = ["Cge"]


class Cge(Robust, Weighing):
    """The mean of the n - f rows of least norm.

    CGE = 1 / (n - f) · Σ_{i ∈ S} x_i,  S the n - f rows of least ‖x_i‖

    A tie goes to the lower row. A row that is not finite is infinitely long: it is left out of the mean wherever a
    finite row is left. Weights are ignored, since a liar states its own. The result is never longer than the longest
    honest row, for any f < n / 2; but a lie that is short enough is in the mean, whatever its direction. Costs O(M ·
    D): the input is read twice.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> import torch
        >>> Cge(f=1)(torch.tensor([[1.0, 1.0], [30.0, 40.0], [3.0, -1.0]]))
        tensor([2., 0.])

    Reference:
        Gupta, Liu & Vaidya, "Byzantine Fault-Tolerant Distributed Machine Learning with Norm-Based Comparative
        Gradient Elimination" (DSN-W 2021), whose sum is a mean here.
    """

    of_updates: ClassVar[bool] = True

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and equal weights on the n - f shortest rows."""
        lengths_M = lengths(rows)
        return state, mean_of(least(lengths_M, rows.rows - self.f), lengths_M)
