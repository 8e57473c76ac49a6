"""One coordinate, as far as the rule will take it."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Context
from holdfast.attacks.search import best_factor
from holdfast.attacks.together import Collusion
from holdfast.errors import InputError
from holdfast.types import State

__all__ = ["BulyanAttack"]


class BulyanAttack(Collusion):
    """Sends the honest mean with one coordinate moved: in a space of D dimensions that is hardly any distance.

    b = ḡ + λ · e_j,  ḡ the mean of the honest rows, j the coordinate

    Without a scale, λ is what moves coordinate j of the aggregate the farthest up: under a rule that selects
    rows the greatest λ with which the attackers are still selected. It is searched for every round, on a
    coarse grid from 0 to ``most`` times the greatest distance of an honest row from ḡ and by golden sections
    around the best; where the rows are too few for the rule, it is that distance. The rule starts afresh and
    gives every row the same weight.

    Raises:
        InputError: a row has no such coordinate.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> honest_HD = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
        >>> BulyanAttack(coordinate=1, scale=9).corrupt({}, honest_HD, torch.zeros(1, 2), context)[1]
        tensor([[2., 9.]])

    Reference:
        El Mhamdi, Guerraoui & Rouault, "The Hidden Vulnerability of Distributed Learning in Byzantium" (ICML
        2018), Section 3, the attack that Bulyan was made against.
    """

    coordinate: int = Field(0, ge=0, description="which coordinate is moved")
    scale: float | None = Field(None, description="how far, in the units of the row; none for as far as the rule goes")
    evaluations: int = Field(20, ge=4, description="how often the rule is tried, for each round and channel")
    most: float = Field(10.0, gt=0, description="the farthest tried, in honest rows' greatest distance to their mean")

    def start(self, rows: int, columns: int) -> State:
        """Nothing to remember.

        Raises:
            InputError: rows have no such coordinate.
        """
        if self.coordinate >= columns:
            required = f"be less than {columns}, the columns of a row"
            raise InputError("attack.coordinate", required, self.coordinate, "Name an existing coordinate.")
        return {}

    def row(self, honest_HD: Tensor, attackers: int, context: Context) -> Tensor:
        """The (D,) mean with its coordinate moved."""
        mean_D = honest_HD.mean(0)

        def moved(distance: float) -> Tensor:
            row_D = mean_D.clone()
            row_D[self.coordinate] += distance
            return row_D

        def shift(distance: float) -> float:
            outcome_D = context.outcome(honest_HD, moved(distance).expand(attackers, -1))
            return math.nan if outcome_D is None else float(outcome_D[self.coordinate])

        if self.scale is not None:
            return moved(self.scale)
        reach = float((honest_HD - mean_D).norm(dim=1, dtype=torch.float64).max())
        return moved(best_factor(shift, 0.0, self.most * reach, self.evaluations, reach))
