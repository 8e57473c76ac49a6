"""Four-bit integers with a scale for each block."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from holdfast.codecs.levels import InLevels

__all__ = ["Int4"]


class Int4(InLevels):
    """Sends each value as half a byte, rounded at random so that it is right on average.

    level_d = ⌊x_d / s⌋ + [u_d < x_d / s - ⌊x_d / s⌋],  s = max_{d ∈ block} |x_d| / 7,  u_d ~ U[0, 1)

    decoded to s · level_d: unbiased, E[decode] = x, and |decode - x| ≤ s. The lower half of a byte holds the
    first of two levels; level + 7 is sent. A block with a value that is not finite arrives as NaN. It leaves no
    ``values``, so it stands last in a chain.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> draws = Draws(1, "codec", np.array([0]), 0)
        >>> _, payload = Int4().encode({}, torch.tensor([[-14.0, 0.0, 6.0]]), draws)
        >>> payload.bytes_K  # three levels in two bytes, and one scale
        array([6])
        >>> Int4().decode(payload)
        tensor([[-14.,   0.,   6.]])

    Reference:
        Alistarh et al., "QSGD: Communication-Efficient SGD via Gradient Quantization and Encoding" (NeurIPS
        2017), Section 3, with the greatest magnitude of a block as its norm.
    """

    bits: ClassVar[int] = 4
    block: int = Field(1024, ge=8, multiple_of=8, description="how many columns share a scale, a multiple of 8")

    @property
    def most(self) -> int:
        """7, so that a level is half a byte."""
        return 7
