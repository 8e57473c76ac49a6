"""Eight-bit integers with a scale for each block."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad

from holdfast.codecs.base import Codec, Payload
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["Int8"]


class Int8(Codec):
    """Sends each value as one byte, rounded at random so that it is right on average.

    level_d = ⌊x_d / s⌋ + [u_d < x_d / s - ⌊x_d / s⌋],  s = max_{d ∈ block} |x_d| / 127,  u_d ~ U[0, 1)

    decoded to s · level_d: unbiased, E[decode] = x, and |decode - x| ≤ s. A block with a value that is not
    finite arrives as NaN. It leaves no ``values``, so it stands last in a chain.

    Example:
        >>> import numpy as np
        >>> draws = Draws(1, "codec", np.array([0]), 0)
        >>> _, payload = Int8().encode({}, torch.tensor([[-127.0, 0.0, 3.0]]), draws)
        >>> payload.row_bytes  # three levels and one scale
        7
        >>> Int8().decode(payload)
        tensor([[-127.,    0.,    3.]])

    Reference:
        Alistarh et al., "QSGD: Communication-Efficient SGD via Gradient Quantization and Encoding" (NeurIPS
        2017), Section 3, with the greatest magnitude of a block as its norm.
    """

    block: int = Field(1024, ge=1, description="how many columns share a scale")

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The state, unchanged, ``levels`` (K, D) int8 and ``scales`` (K, ⌈D / block⌉) float32."""
        x_KD = x_KD.float()
        scales = self._scales(x_KD)
        # Blocks of zeros divide by 0, broken ones by NaN: both get level 0, and the scale tells them apart.
        exact_KD = (x_KD / self._spread(scales, x_KD.shape[1])).nan_to_num(0, 0, 0)
        low_KD = exact_KD.floor()
        up_KD = draws.uniform(x_KD.shape[1]).to(x_KD.device) < exact_KD - low_KD
        levels_KD = (low_KD + up_KD).clamp(-127, 127).to(torch.int8)
        return state, Payload({"levels": levels_KD, "scales": scales}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows."""
        tensors = payload.tensors
        return tensors["levels"] * self._spread(tensors["scales"], payload.columns)

    def _scales(self, x_KD: Tensor) -> Tensor:
        """One scale for each block of each row; NaN for a broken block."""
        padded_KD = pad(x_KD.abs(), (0, -x_KD.shape[1] % self.block))
        blocks = padded_KD.shape[1] // self.block
        greatest = padded_KD.view(len(x_KD), blocks, self.block).amax(-1)
        return (greatest / 127).where(torch.isfinite(greatest), torch.nan)

    def _spread(self, scales: Tensor, columns: int) -> Tensor:
        """The (K, D) scale of each column."""
        return scales.repeat_interleave(self.block, dim=1)[:, :columns]
