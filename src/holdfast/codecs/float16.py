"""Half precision."""

from __future__ import annotations

import torch
from torch import Tensor

from holdfast.codecs.base import Codec, Payload
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["Float16"]

_GREATEST = torch.finfo(torch.float16).max


class Float16(Codec):
    """Sends each value in half precision, two bytes instead of four.

    |decode - x| ≤ 2⁻¹¹ |x| + 2⁻²⁵ for |x| ≤ 65504

    Finite values beyond ±65504, the greatest of the format, are sent as ±65504, so that no finite row arrives
    broken; values that are not finite arrive as they are.

    Example:
        >>> import numpy as np
        >>> draws = Draws(1, "codec", np.array([0]), 0)
        >>> _, payload = Float16().encode({}, torch.tensor([[1.0, 0.1, 1e9]]), draws)
        >>> payload.bytes_K
        array([6])
        >>> Float16().decode(payload)
        tensor([[1.0000e+00, 9.9976e-02, 6.5504e+04]])

    Reference:
        IEEE 754-2019, the format binary16.
    """

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The state, unchanged, and ``values`` (K, D) float16."""
        half_KD = x_KD.half()
        if x_KD.numel() and not _within(x_KD):
            half_KD = half_KD.clamp(-_GREATEST, _GREATEST).where(x_KD.isfinite(), half_KD)
        return state, Payload({"values": half_KD}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows."""
        return payload.tensors["values"].float()


def _within(x_KD: Tensor) -> bool:
    """Whether all values are finite in half precision as they are."""
    low, high = x_KD.aminmax()
    return bool((low >= -_GREATEST) & (high <= _GREATEST))
