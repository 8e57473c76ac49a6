"""Signs alone, with a scale for each block."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.codecs.base import Codec, Payload
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["Sign"]


class Sign(Codec):
    """Sends each value as one bit, its sign, and the mean magnitude of each block.

    decode_d = s if x_d ≥ 0 else -s,  s = mean_{d ∈ block} |x_d|

    so that in a block of B columns ‖decode - x‖² = ‖x‖² - ‖x‖₁² / B. It is biased: use it inside
    `error_feedback`. Eight signs make a byte, the first lowest, 1 for plus. A block with a value that is not finite
    arrives as NaN. It leaves no ``values``, so it stands last in a chain.

    Example:
        >>> import numpy as np, torch
        >>> draws = Draws(1, "codec", np.array([0]), 0)
        >>> _, payload = Sign().encode({}, torch.tensor([[-4.0, 0.0, 2.0]]), draws)
        >>> payload.bytes_K  # three signs in one byte, and one scale
        array([5])
        >>> Sign().decode(payload)
        tensor([[-2.,  2.,  2.]])

    Reference:
        Karimireddy et al., "Error Feedback Fixes SignSGD and other Gradient Compression Schemes" (ICML 2019),
        Algorithm 1; Seide et al., "1-Bit Stochastic Gradient Descent and its Application to Data-Parallel
        Distributed Training of Speech DNNs" (Interspeech 2014).
    """

    block: int = Field(1024, ge=8, multiple_of=8, description="how many columns share a scale, a multiple of 8")

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The state, unchanged, ``signs`` (K, ⌈D / 8⌉) uint8 and ``scales`` (K, ⌈D / block⌉) float32."""
        from holdfast.kernels import coding  # numba loads slowly

        signs, scales = coding.to_signs(x_KD, self.block)
        return state, Payload({"signs": signs, "scales": scales}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows."""
        from holdfast.kernels import coding  # numba loads slowly

        signs, scales = payload.tensors["signs"], payload.tensors["scales"]
        return coding.from_levels(signs, scales, payload.columns, self.block, bits=1, zero=1, gap=2)
