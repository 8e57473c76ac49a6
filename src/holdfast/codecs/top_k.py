"""The greatest values alone."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from holdfast.codecs.base import Codec, Payload
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["TopK"]


class TopK(Codec):
    """Sends the k values of greatest magnitude and where they stand; the rest arrives as 0.

    ‖decode - x‖² ≤ (1 - k/D) ‖x‖²,  k = max(1, ⌈fraction · D⌉)

    Values that are not finite count as the greatest, so they are sent first; a tie goes to the lower column. It is
    biased: use it inside `error_feedback`, or on differences.

    Example:
        >>> import numpy as np
        >>> draws = Draws(1, "codec", np.array([0]), 0)
        >>> _, payload = TopK(fraction=0.5).encode({}, torch.tensor([[1.0, -5.0, 0.0, 3.0]]), draws)
        >>> payload.tensors["indices"], payload.bytes_K
        (tensor([[1, 3]], dtype=torch.int32), array([16]))
        >>> TopK(fraction=0.5).decode(payload)
        tensor([[ 0., -5.,  0.,  3.]])

    Reference:
        Stich, Cordonnier & Jaggi, "Sparsified SGD with Memory" (NeurIPS 2018), Definition 2.1.
    """

    fraction: float = Field(0.1, gt=0, le=1, description="the fraction of a row's values to send, rounded up")

    def width(self, columns: int) -> int:
        """k, how many values of a row are sent."""
        return max(1, math.ceil(self.fraction * columns))

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The state, unchanged, ``values`` (K, k) float32 and ascending ``indices`` (K, k) int32."""
        from holdfast.kernels.selection import greatest  # numba loads slowly

        x_KD = x_KD.float()
        indices = greatest(x_KD, self.width(x_KD.shape[1]))
        return state, Payload({"values": x_KD.gather(1, indices.long()), "indices": indices}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows; NaN where a peer's indices are not ascending columns of the row."""
        indices, values = payload.tensors["indices"], payload.tensors["values"].float()
        fit_K1 = (indices[:, :1] >= 0) & (indices[:, -1:] < payload.columns)
        fit_K1 &= (indices[:, 1:] > indices[:, :-1]).all(1, keepdim=True)
        zeros_KD = values.new_zeros(len(values), payload.columns)
        rows_KD = zeros_KD.scatter_(1, indices.where(fit_K1, 0).long(), values)
        rows_KD[~fit_K1[:, 0]] = torch.nan
        return rows_KD
