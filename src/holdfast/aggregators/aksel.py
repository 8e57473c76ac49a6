"""Aksel: the mean of the rows around the median."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing
from holdfast.aggregators.lengths import lengths
from holdfast.aggregators.median import Median
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.scores import least, mean_of
from holdfast.types import State

__all__ = ["Aksel"]


class Aksel(Robust, Weighing):
    """The mean of the rows that are nearest to the median of each coordinate.

    AK = 1 / c · Σ_{i ∈ S} x_i,  S the c rows of least ‖x_i - m‖,  m the coordinate-wise median

    The median is that of `median`, the mean of the middle two where n is even. A tie goes to the lower row. A value
    that is not finite is missing from the median, and its row is at infinite distance: it is left out of the mean
    wherever a finite row is left. Weights are ignored, since a liar states its own. With at most f < n / 2 lying rows
    none is in the mean that lies farther from m than the farthest honest one: the breakdown point is 1/2. Costs one
    `median` and O(M · D) to read the rows twice more.

    Raises:
        InputError: when called on fewer than 2f + 1 rows.

    Example:
        >>> import torch
        >>> x_MD = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [2.0, 3.0], [90.0, 90.0]])
        >>> Aksel(f=1)(x_MD)
        tensor([1.6667, 2.0000])
        >>> Aksel(f=1, c="rest")(x_MD)
        tensor([1.2500, 1.5000])

    Reference:
        Boussetta et al., "AKSEL: Fast Byzantine SGD" (OPODIS 2020).
    """

    c: Literal["half", "rest"] = Field(
        "half", description="how many rows to average: half of them, rounded up, or the rest without f"
    )

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and equal weights on the c rows nearest to the median."""
        count = (rows.rows + 1) // 2 if self.c == "half" else rows.rows - self.f
        lengths_M = lengths(rows, rows.ordered(Median().ranks(rows.rows)))
        return state, mean_of(least(lengths_M, count), lengths_M)
