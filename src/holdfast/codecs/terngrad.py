"""Three levels with a scale for each block."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from holdfast.codecs.levels import InLevels

__all__ = ["Terngrad"]


class Terngrad(InLevels):
    """Sends each value as minus one, zero or one, drawn so that it is right on average.

    level_d = sign(x_d) · b_d,  P(b_d = 1) = |x_d| / s,  s = max_{d ∈ block} |x_d|

    decoded to s · level_d: unbiased, E[decode] = x, and |decode - x| ≤ s. Two bits hold level + 1, four values
    a byte, the first lowest. A block with a value that is not finite arrives as NaN. It leaves no ``values``, so
    it stands last in a chain.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> draws = Draws(1, "codec", np.array([0]), 0)
        >>> _, payload = Terngrad().encode({}, torch.tensor([[-3.0, 0.0, 3.0]]), draws)
        >>> payload.bytes_K  # three levels in one byte, and one scale
        array([5])
        >>> Terngrad().decode(payload)
        tensor([[-3.,  0.,  3.]])

    Reference:
        Wen et al., "TernGrad: Ternary Gradients to Reduce Communication in Distributed Deep Learning" (NeurIPS
        2017), equations (1) to (3), with a scale for each block instead of each layer.
    """

    bits: ClassVar[int] = 2
    block: int = Field(1024, ge=8, multiple_of=8, description="how many columns share a scale, a multiple of 8")

    @property
    def most(self) -> int:
        """1, so that a level is two bits."""
        return 1
