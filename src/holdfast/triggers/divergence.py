"""Speaking when the own model has moved too far."""

from __future__ import annotations

from math import prod
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from holdfast.component import Shaped
from holdfast.triggers.base import Trigger
from holdfast.types import State

__all__ = ["Divergence"]


class Divergence(Shaped, Trigger):
    r"""A node speaks when its model has left the safe zone around the reference.

    node i, in every b-th round: speaks where ‖x_i - r‖² > Δ

    With a coordinator r is its broadcast, and in `dynamic_averaging`, whose condition this is, the common reference;
    among peers it is what the node said last. The length is that of the whole vector of parameters, or of the tensor
    that has moved farthest. A model that is not finite has left the zone.

    Raises:
        InputError: in an experiment with fewer rounds than `check_every`.

    Example:
        >>> x_KD = torch.tensor([[1.0, 1.0], [2.0, 1.0]])
        >>> Divergence(delta=2).speakers({}, 1, x_KD, torch.zeros(2, 2), torch.zeros(2))[1]
        tensor([False,  True])

    Source: Kamp et al. 2018, "Efficient Decentralized Deep Learning by Dynamic Model Averaging", section 3.
    """

    delta: float = Field(
        0.001, gt=0, description="Δ, the greatest squared distance from the reference of who is silent"
    )
    check_every: int = Field(1, ge=1, description="b, from one check to the next, in rounds")
    norm: Literal["vector", "max_tensor"] = Field(
        "vector", description="whose squared length counts: the whole vector's, or the greatest of any one tensor"
    )

    def check(self, nodes: int, rounds: int) -> None:
        """Refuse an interval longer than the run."""
        self._at_most("check_every", rounds)

    def squares(self, change_KD: Tensor) -> Tensor:
        """(K,) the squared lengths of (K, D) rows."""
        parts = [change_KD]
        if self.norm == "max_tensor" and self._shapes:
            parts = list(change_KD.split([prod(shape) for shape in self._shapes], dim=1))
        return torch.stack([torch.linalg.vector_norm(part, dim=1) for part in parts]).amax(0).square()

    def outside(self, change_KD: Tensor) -> Tensor:
        """(K,) which rows are longer than the zone is wide."""
        return ~(self.squares(change_KD) <= self.delta)  # so that NaN is outside

    def speakers(
        self, state: State, round: int, x_KD: Tensor, reference_KD: Tensor, losses_K: Tensor
    ) -> tuple[State, Tensor]:
        """The state, unchanged, and a (K,) mask of those outside their safe zone."""
        if round % self.check_every:
            return state, torch.zeros(len(x_KD), dtype=torch.bool, device=x_KD.device)
        return state, self.outside(x_KD - reference_KD)
