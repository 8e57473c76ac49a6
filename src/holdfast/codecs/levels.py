"""What codecs share that round at random to whole multiples of a step for each block."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.codecs.base import Codec, Payload
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["InLevels"]


class InLevels(Codec):
    """Sends each value as a level, and the step between levels for each block of columns.

    level_d = ⌊x_d / s⌋ + [u_d < x_d / s - ⌊x_d / s⌋],  s = ‖x_block‖ / L,  u_d ~ U[0, 1)

    decoded to s · level_d. A block with a value that is not finite arrives as NaN.
    """

    bits: ClassVar[int] = 8
    """Of a level on the wire: 8, 4 or 2; of several in a byte the first is lowest, and blocks begin with a byte."""
    euclidean: ClassVar[bool] = False
    """Whether a block is measured by its Euclidean norm, else by its greatest magnitude."""

    block: int = Field(1024, ge=1, description="how many columns share a scale")

    @property
    @abstractmethod
    def most(self) -> int:
        """L, the greatest level."""

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The state, unchanged, ``levels`` (K, ⌈D · bits / 8⌉) and ``scales`` (K, ⌈D / block⌉) float32, the steps."""
        from holdfast.kernels import coding  # numba loads slowly

        levels, scales = coding.to_levels(
            x_KD, draws.addresses_K, self.block, self.most, self.bits, euclidean=self.euclidean
        )
        levels = levels.view(torch.int8) if self.bits == 8 else levels
        return state, Payload({"levels": levels, "scales": scales}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows."""
        from holdfast.kernels import coding  # numba loads slowly

        levels, scales, zero = payload.tensors["levels"], payload.tensors["scales"], 0 if self.bits == 8 else self.most
        return coding.from_levels(levels, scales, payload.columns, self.block, self.bits, zero=zero)
