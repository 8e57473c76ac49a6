"""The median in most coordinates, a given row in the others."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import OfMixtures, round_of
from holdfast.aggregators.median import Median
from holdfast.aggregators.mixture import Mixture
from holdfast.errors import InputError
from holdfast.seeding import generator
from holdfast.types import State

__all__ = ["Condense"]


class Condense(OfMixtures):
    """In each coordinate the median with probability p, else the value of a given row.

    C_d = median_i(x_id) with probability p, else x_rd

    The row r is numbered as in the inbox: on a graph row 0 is the receiver's own; at a coordinator rows go by the
    numbers of the nodes that spoke. The coordinates are drawn anew each round, and all inboxes of a batch share them.
    Values that are not finite are missing: from the median, and where the row's own is missing the median stands in
    for it. Weights are ignored, since a liar states its own. It is as robust as the median if the given row is
    honest, and else not at all unless p = 1. Costs one `median` and D draws.

    Raises:
        InputError: when called on so few rows that the given one is not among them.

    Example:
        >>> import torch
        >>> x_MD = torch.tensor([[0.0, 0.0, 0.0, torch.nan], [1.0, 1.0, 1.0, 1.0], [9.0, 9.0, 9.0, 1.0]])
        >>> Condense(p=0.5, seed=1)(x_MD)
        tensor([1., 1., 0., 1.])

    Reference:
        Guerraoui et al., "Garfield: System Support for Byzantine Machine Learning" (DSN 2021), whose release has
        it, with the first row.
    """

    takes_missing: ClassVar[bool] = True

    p: float = Field(0.9, ge=0, le=1, description="the probability of the median in each coordinate")
    row: int = Field(0, ge=0, description="the number of the row that gives the other coordinates")
    seed: int = Field(0, ge=0, lt=2**63, description="the seed of the choice")

    @property
    def least(self) -> int:
        """The least number of rows of which the given row is one."""
        return self.row + 1

    def check(self, rows: int) -> None:
        """Refuse an inbox without the given row.

        Raises:
            InputError: fewer than `least` rows.
        """
        if rows < self.least:
            required = f"be less than the number of rows, here {rows}"
            raise InputError("row", required, self.row, "Use a lower row, or more rows.")

    def aggregate_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Tensor]:
        """The state, unchanged, and the (…, D) choice."""
        median_D = rows.ordered(Median().ranks(rows.rows))
        row_D = rows.combined(torch.eye(rows.rows, dtype=torch.float64)[self.row])
        draws_D = torch.rand(median_D.shape[-1], generator=generator(self.seed, "condense", round_of(state)))
        from_row_D = (draws_D >= self.p).to(row_D.device) & row_D.isfinite()
        return state, row_D.where(from_row_D, median_D)
