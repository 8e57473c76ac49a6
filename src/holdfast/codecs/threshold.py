"""The values that matter, however many they are."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.codecs.base import Codec, Payload
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["Threshold"]


class Threshold(Codec):
    """Sends the values of at least a given magnitude and where they stand; the rest arrives as 0.

    send x_d and d where |x_d| ≥ t and x_d ≠ 0,  t = tau · √(‖x‖² / D), or tau itself

    so |decode - x| < t. How many values are sent differs from row to row: the tensors are ragged, and no other codec
    can encode them further, so it stands last in a chain. Values that are not finite count as great, so they are sent.
    It is biased: use it inside `error_feedback`, or on differences.

    Example:
        >>> import numpy as np
        >>> draws = Draws(1, "codec", np.array([0, 1]), 0)
        >>> x_KD = torch.tensor([[1.0, -5.0, 3.0], [0.0, 2.0, 0.0]])
        >>> _, payload = Threshold(tau=2, relative=False).encode({}, x_KD, draws)
        >>> payload.tensors["indices"], payload.lengths["indices"]
        (tensor([[1, 2],
                [1, 0]], dtype=torch.int32), tensor([2, 1]))
        >>> payload.bytes_K  # eight for each value, and eight that say how many indices and values there are
        array([24, 16])
        >>> Threshold().decode(payload)
        tensor([[ 0., -5.,  3.],
                [ 0.,  2.,  0.]])

    Reference:
        Strom, "Scalable Distributed DNN Training Using Commodity GPU Cloud Computing" (Interspeech 2015), Section 2,
        with the values themselves instead of ±t.
    """

    tau: float = Field(1.0, gt=0, description="from which magnitude on a value is sent")
    relative: bool = Field(True, description="whether tau is a multiple of the row's root mean square")

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The state, unchanged, ascending ``indices`` (K, greatest length) int32, and ``kept`` float32 alike."""
        x_KD = x_KD.float()
        magnitude_KD = x_KD.abs().nan_to_num(nan=torch.inf, posinf=torch.inf)
        great_KD = (magnitude_KD >= self._limit(magnitude_KD)) & (magnitude_KD > 0)
        lengths_K = great_KD.sum(1)
        rows, columns = great_KD.nonzero(as_tuple=True)
        places = torch.arange(len(rows), device=x_KD.device) - (lengths_K.cumsum(0) - lengths_K)[rows]
        indices = columns.new_zeros(len(x_KD), max(lengths_K.tolist(), default=0), dtype=torch.int32)
        kept = torch.zeros_like(indices, dtype=torch.float32)
        indices[rows, places], kept[rows, places] = columns.int(), x_KD[rows, columns]
        lengths = {"indices": lengths_K, "kept": lengths_K}
        return state, Payload({"indices": indices, "kept": kept}, x_KD.shape[1], lengths)

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows; NaN where a peer's lengths or indices are not those of ascending columns."""
        indices, kept = payload.tensors["indices"].long(), payload.tensors["kept"].float()
        real, fit_K1 = _real(indices, kept, payload)
        rows, places = (real & fit_K1).nonzero(as_tuple=True)
        found_KD = kept.new_zeros(len(kept), payload.columns)
        found_KD[rows, indices[rows, places]] = kept[rows, places]
        return found_KD.where(fit_K1, torch.nan)

    def template(self, columns: int) -> Payload:
        """One row's payload where every value is sent."""
        indices = torch.zeros(1, columns, dtype=torch.int32)
        lengths = dict.fromkeys(("indices", "kept"), torch.tensor([columns]))
        return Payload({"indices": indices, "kept": torch.zeros(1, columns)}, columns, lengths)

    def _limit(self, magnitude_KD: Tensor) -> Tensor:
        """(K, 1) t, the least magnitude that is sent."""
        if not self.relative:
            return magnitude_KD.new_full((len(magnitude_KD), 1), self.tau, dtype=torch.float64)
        lengths_K1 = torch.linalg.vector_norm(magnitude_KD, dim=1, keepdim=True, dtype=torch.float64)
        limit_K1: Tensor = lengths_K1 * (self.tau / magnitude_KD.shape[1] ** 0.5)
        return limit_K1


def _real(indices: Tensor, kept: Tensor, payload: Payload) -> tuple[Tensor, Tensor]:
    """Which of the indices are no padding, and (K, 1) which rows are as an honest sender makes them."""
    lengths_K1, kept_K1 = (payload.lengths[name].to(indices.device).unsqueeze(1) for name in ("indices", "kept"))
    real = torch.arange(indices.shape[1], device=indices.device) < lengths_K1
    columns = (indices >= 0) & (indices < payload.columns)
    ascending = indices.diff(dim=1) > 0
    widest = min(indices.shape[1], kept.shape[1])
    fit_K1 = (lengths_K1 == kept_K1) & (lengths_K1 >= 0) & (lengths_K1 <= widest)
    fit_K1 &= (columns | ~real).all(1, keepdim=True) & (ascending | ~real[:, 1:]).all(1, keepdim=True)
    return real, fit_K1
