"""The contract of triggers."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor

from holdfast.component import Component
from holdfast.types import State

__all__ = ["Trigger"]


class Trigger(Component):
    """Decides who speaks after a round's local work."""

    family: ClassVar[str] = "triggers"

    def start(self, x_KD: Tensor) -> State:
        """What nodes remember at first, one row for each."""
        return {}

    def may_silence(self) -> bool:
        """Whether any node may ever stay silent."""
        return True

    @abstractmethod
    def speakers(
        self, state: State, round: int, x_KD: Tensor, reference_KD: Tensor, losses_K: Tensor
    ) -> tuple[State, Tensor]:
        """The new state, and a (K,) boolean mask of the nodes that speak.

        Args:
            state: what the nodes remember, one row for each.
            round: the round, from 1.
            x_KD: (K, D) rows after local work.
            reference_KD: (K, D) the rows from which they started this round.
            losses_K: (K,) the local training losses.
        """
