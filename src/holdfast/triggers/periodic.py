"""Speaking at regular intervals."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.triggers.base import Trigger
from holdfast.types import State

__all__ = ["Periodic"]


class Periodic(Trigger):
    """Everybody speaks in every n-th round, and works in silence in between.

    round t, counted from 1, is one of speaking where t mod every = 0

    Raises:
        InputError: in an experiment with fewer rounds.

    Example:
        >>> x_KD, losses_K = torch.zeros(2, 3), torch.zeros(2)
        >>> [Periodic(every=3).speakers({}, t, x_KD, x_KD, losses_K)[1].tolist() for t in (2, 3, 4)]
        [[False, False], [True, True], [False, False]]

    Reference:
        McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data" (AISTATS
        2017): more local work between two exchanges.
    """

    together: ClassVar[bool] = True

    every: int = Field(1, ge=1, description="from one exchange to the next, in rounds")

    def check(self, nodes: int, rounds: int) -> None:
        """Refuse an interval longer than the run."""
        self._at_most("every", rounds)

    def may_silence(self) -> bool:
        """Whether there are rounds without an exchange."""
        return self.every > 1

    def speakers(
        self, state: State, round: int, x_KD: Tensor, reference_KD: Tensor, losses_K: Tensor
    ) -> tuple[State, Tensor]:
        """The state, unchanged, and a (K,) mask of all or none."""
        speak = round % self.every == 0
        return state, torch.full((len(x_KD),), speak, dtype=torch.bool, device=x_KD.device)
