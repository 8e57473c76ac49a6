"""The first sixteen bits of float32."""

from __future__ import annotations

import torch
from torch import Tensor

from holdfast.codecs.base import Codec, Payload
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["Bfloat16"]

_GREATEST = torch.finfo(torch.bfloat16).max


class Bfloat16(Codec):
    """Sends each value as bfloat16, two bytes with the range of float32 and fewer digits than float16.

    |decode - x| ≤ 2⁻⁸ |x| + 2⁻¹³⁴ for |x| ≤ (2 - 2⁻⁷) · 2¹²⁷

    Finite values beyond that, the greatest of the format, are sent as the greatest, so that no finite row arrives
    broken; values that are not finite arrive as they are.

    Example:
        >>> import numpy as np
        >>> draws = Draws(1, "codec", np.array([0]), 0)
        >>> _, payload = Bfloat16().encode({}, torch.tensor([[1.0, 0.1, 1e9]]), draws)
        >>> payload.bytes_K
        array([6])
        >>> Bfloat16().decode(payload)
        tensor([[1.0000e+00, 1.0010e-01, 9.9824e+08]])

    Reference:
        Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training" (2019).
    """

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The state, unchanged, and ``values`` (K, D) bfloat16."""
        half_KD = x_KD.bfloat16()
        if half_KD.isinf().any():
            half_KD = half_KD.clamp(-_GREATEST, _GREATEST).where(x_KD.isfinite(), half_KD)
        return state, Payload({"values": half_KD}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows."""
        return payload.tensors["values"].float()
