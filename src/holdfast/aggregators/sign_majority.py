"""A step in the direction on which most rows agree, coordinate by coordinate."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import OfMixtures
from holdfast.aggregators.mixture import Mixture
from holdfast.types import State

__all__ = ["SignMajority"]


class SignMajority(OfMixtures):
    """A fixed step in each coordinate, of the sign that most rows have there.

    SM_d = step · sign(Σ_i sign(x_id))

    Values of 0 and values that are not finite do not vote; a tie moves nothing, nor does a coordinate without a vote.
    How long a row is does not matter, so a liar is worth no more than its one vote: where the honest votes agree by a
    margin of more than f the result is theirs, so the breakdown point is 1/2. Weights are ignored, since a liar
    states its own. Costs O(M · D) to read the rows once.

    Example:
        >>> import torch
        >>> SignMajority(step=0.5)(torch.tensor([[3.0, -1.0, 0.0], [1.0, 2.0, 0.0], [-90.0, torch.nan, -4.0]]))
        tensor([ 0.5000,  0.0000, -0.5000])

    Reference:
        Bernstein et al., "signSGD with Majority Vote is Communication Efficient and Fault Tolerant" (ICLR 2019),
        Algorithm 1.
    """

    takes_missing: ClassVar[bool] = True
    of_updates: ClassVar[bool] = True

    step: float = Field(1.0, gt=0, description="how far each coordinate moves, before the learning rate")

    def aggregate_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Tensor]:
        """The state, unchanged, and the (…, D) steps."""
        return state, torch.cat([self.step * _majority(x_MC) for x_MC in rows.blocks()], -1)


def _majority(x_MC: Tensor) -> Tensor:
    """(…, C) the sign of most votes: -1, 0 or 1."""
    votes_MC = x_MC.nan_to_num(nan=0, posinf=0, neginf=0).sign()
    return votes_MC.sum(-2).sign()
