"""What attacks share whose attackers see everything and all send the same row."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

from torch import Tensor

from holdfast.attacks.base import Attack, Context
from holdfast.types import State

__all__ = ["Collusion"]


class Collusion(Attack):
    """All attackers send one row, made from the honest ones.

    Honest rows that are not finite are left out of sight; where no other takes part, the attackers send the truth.
    """

    knows: ClassVar[Literal["own", "colluders", "omniscient"]] = "omniscient"

    @abstractmethod
    def row(self, honest_HD: Tensor, attackers: int, context: Context) -> Tensor:
        """The (D,) row that every attacker sends.

        Args:
            honest_HD: (H, D) finite rows of the honest nodes, at least one.
            attackers: how many attackers send it.
            context: the round, randomness and rule.
        """

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        """The state, unchanged, and the (B, D) rows, all alike."""
        whole_H = honest_HD.isfinite().all(1)
        seen_HD = honest_HD if whole_H.all() else honest_HD[whole_H]
        if not len(seen_HD):
            return state, own_BD
        return state, self.row(seen_HD, len(own_BD), context).to(own_BD).expand_as(own_BD).clone()
