"""What attacks share whose attackers tell each of their neighbours something else."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

from torch import Tensor

from holdfast.attacks.base import Attack

__all__ = ["ToEach"]


class ToEach(Attack):
    """An attack among peers in which each honest neighbour hears a row of its own, from all attackers the same.

    Attackers mix and train like everybody else, and tell each other the truth.
    """

    knows: ClassVar[Literal["own", "colluders", "omniscient"]] = "omniscient"

    @abstractmethod
    def told(self, own_KD: Tensor, mixed_KD: Tensor, weight_K: Tensor) -> Tensor:
        """The (K, D) rows that K honest nodes hear from every attacker among their neighbours.

        Args:
            own_KD: (K, D) their own rows.
            mixed_KD: (K, D) what they would make of their honest neighbours alone: x_i + Σ_j W_ij (x_j - x_i).
            weight_K: (K,) what the attackers among their neighbours weigh together, more than 0.
        """
