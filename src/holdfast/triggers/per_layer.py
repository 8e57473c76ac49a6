"""Speaking of the layers that have moved."""

from __future__ import annotations

from math import prod
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.component import Shaped
from holdfast.triggers.base import Trigger
from holdfast.types import State

__all__ = ["PerLayer"]


class PerLayer(Shaped, Trigger):
    r"""A node sends a tensor of its model only when that has moved far enough since the node last sent it.

    With u the update of a round, or a gradient, and e what has not been sent yet, for each tensor l

        e_l ← e_l + u_l,  send e_l and e_l ← 0 where ‖e_l‖ > t

    t is the threshold times the length of the broadcast tensor, or the threshold itself. A node with nothing to send is
    silent. What it has not sent is not lost, for e is added to what it learns next; that costs the memory of one model
    a node. Buffers go along with whoever speaks. Without a codec the tensors travel by `layers`; other codecs encode
    what is not sent as zeros.

    It suits algorithms with a coordinator from whose broadcast nodes begin anew in each round, and that say what they
    have learned since: `fedavg` without ``keep_local``, say, or `robust_sgd`.

    Example:
        >>> trigger = PerLayer(threshold=1, relative=False).fitted([(2,), (1,)])
        >>> x_KD, update_KD = torch.zeros(1, 3), torch.tensor([[0.6, 0.0, 1.5]])
        >>> state = trigger.start(x_KD)
        >>> for round in (1, 2):
        ...     state, said_KD = trigger.trim(state, update_KD, x_KD)
        ...     print(said_KD, state["unsent"])
        tensor([[0.0000, 0.0000, 1.5000]]) tensor([[0.6000, 0.0000, 0.0000]])
        tensor([[1.2000, 0.0000, 1.5000]]) tensor([[0., 0., 0.]])

    Source: Stich, Cordonnier & Jaggi 2018, "Sparsified SGD with Memory", Algorithm 1, with whole tensors instead of
    single values; Chen et al. 2018, "LAG: Lazily Aggregated Gradient", equation 7, for the condition of a worker.
    """

    trims: ClassVar[bool] = True

    threshold: float = Field(0.01, ge=0, description="how far a tensor must have moved to be sent")
    relative: bool = Field(True, description="whether the threshold is a multiple of the tensor's own length")

    def start(self, x_KD: Tensor) -> State:
        """What has not been sent, and whether there is something to send."""
        nothing_K = torch.zeros(len(x_KD), dtype=torch.bool, device=x_KD.device)
        return {"unsent": torch.zeros_like(x_KD, memory_format=torch.contiguous_format), "moved": nothing_K}

    def trim(self, state: State, said_KD: Tensor, x_KD: Tensor) -> tuple[State, Tensor]:
        """What is left unsent, and the (K, D) rows with zeros in its place."""
        p = state["unsent"].shape[1]
        whole_KP = said_KD[:, :p] + state["unsent"]
        limit_KL = self.threshold * (self._lengths(x_KD[:, :p]) if self.relative else 1.0)
        moved_KL = ~(self._lengths(whole_KP) <= limit_KL)  # so that NaN has moved
        sizes_L = torch.tensor(self._sizes(p), device=moved_KL.device)
        moved_KP = moved_KL.repeat_interleave(sizes_L, dim=1)
        kept = {"unsent": whole_KP.where(~moved_KP, 0), "moved": moved_KL.any(1)}
        return kept, torch.cat([whole_KP.where(moved_KP, 0), said_KD[:, p:]], dim=1)

    def speakers(
        self, state: State, round: int, x_KD: Tensor, reference_KD: Tensor, losses_K: Tensor
    ) -> tuple[State, Tensor]:
        """The state, unchanged, and a (K,) mask of those of whose model a tensor has moved."""
        return state, state["moved"]

    def _sizes(self, columns: int) -> list[int]:
        """How many columns each tensor has; all are one as long as nobody has said."""
        return [prod(shape) for shape in self._shapes] or [columns]

    def _lengths(self, x_KD: Tensor) -> Tensor:
        """(K, L) the length of each tensor."""
        parts = x_KD.split(self._sizes(x_KD.shape[1]), dim=1)
        return torch.stack([torch.linalg.vector_norm(part, dim=1) for part in parts], dim=1)
