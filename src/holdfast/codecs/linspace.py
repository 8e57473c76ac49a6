"""Equal bins between the least and the greatest value of each block."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.codecs.base import Codec, Payload
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["Linspace"]


class Linspace(Codec):
    """Sends for each value the number of its bin between the block's least and greatest value, one byte.

    level_d = min(⌊(x_d - low) / w⌋, bins - 1),  w = (high - low) / bins

    decoded to the middle of the bin, low + w · (level_d + 1/2): |decode - x| ≤ w / 2, up to the rounding of float32.
    A block whose values are all the same arrives as it is, one with a value that is not finite as NaN. It is
    biased, but by no more than half a bin. It leaves no ``values``, so it stands last in a chain.

    Example:
        >>> import numpy as np
        >>> draws = Draws(1, "codec", np.array([0]), 0)
        >>> _, payload = Linspace(bins=4).encode({}, torch.tensor([[0.0, 1.0, 2.0, 5.0, 8.0]]), draws)
        >>> payload.tensors["levels"], payload.bytes_K  # five levels, the least and the greatest value
        (tensor([[0, 0, 1, 2, 3]], dtype=torch.uint8), array([13]))
        >>> Linspace(bins=4).decode(payload)
        tensor([[1., 1., 3., 5., 7.]])

    Reference:
        Gray & Neuhoff, "Quantization" (IEEE Transactions on Information Theory 1998), Section II: the uniform
        quantiser. dyn-fed decodes to the bin's upper edge, which is wrong by half a bin on average.
    """

    bins: int = Field(255, ge=2, le=256, description="how many bins a block's range is cut into")
    block: int = Field(1024, ge=1, description="how many columns share a least and a greatest value")

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The state, unchanged, ``levels`` (K, D) uint8, and ``low`` and ``high`` (K, ⌈D / block⌉) float32."""
        low, high = self._range(x_KD.float())
        low_KD, width_KD = self._spread(low, high, x_KD.shape[1])
        # Halves, since the distance of two finite values can overflow. Blocks of one value divide by 0, broken ones
        # by NaN: both get level 0, and their range tells them apart.
        exact_KD = ((x_KD.float() / 2 - low_KD / 2) / (width_KD / 2)).nan_to_num(0, self.bins, 0)
        levels_KD = exact_KD.clamp(0, self.bins - 1).to(torch.uint8)
        return state, Payload({"levels": levels_KD, "low": low, "high": high}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows."""
        tensors = payload.tensors
        low_KD, width_KD = self._spread(tensors["low"], tensors["high"], payload.columns)
        half_KD = width_KD / 2 * (tensors["levels"] + 0.5)  # of the way from the lower end, which can overflow
        return low_KD + half_KD + half_KD

    def _range(self, x_KD: Tensor) -> tuple[Tensor, Tensor]:
        """The least and the greatest value of each block of each row; NaN for a broken block."""
        block = min(self.block, x_KD.shape[1])
        padded_KD = torch.cat([x_KD, x_KD[:, -1:].expand(-1, -x_KD.shape[1] % block)], dim=1)
        low, high = padded_KD.unflatten(1, (-1, block)).aminmax(dim=-1)
        whole = low.isfinite() & high.isfinite()
        return low.where(whole, torch.nan), high.where(whole, torch.nan)

    def _spread(self, low: Tensor, high: Tensor, columns: int) -> tuple[Tensor, Tensor]:
        """The (K, D) lower end of each column's range, and the width of its bins."""
        ends = (low, (high / 2 - low / 2) / self.bins * 2)
        block = min(self.block, columns)
        low_KD, width_KD = (end.repeat_interleave(block, dim=1)[:, :columns] for end in ends)
        return low_KD, width_KD
