"""Eight-bit integers with a scale for each block."""

from __future__ import annotations

from holdfast.codecs.levels import InLevels

__all__ = ["Int8"]


class Int8(InLevels):
    """Sends each value as one byte, rounded at random so that it is right on average.

    level_d = ⌊x_d / s⌋ + [u_d < x_d / s - ⌊x_d / s⌋],  s = max_{d ∈ block} |x_d| / 127,  u_d ~ U[0, 1)

    decoded to s · level_d: unbiased, E[decode] = x, and |decode - x| ≤ s. A block with a value that is not
    finite arrives as NaN. It leaves no ``values``, so it stands last in a chain.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> draws = Draws(1, "codec", np.array([0]), 0)
        >>> _, payload = Int8().encode({}, torch.tensor([[-127.0, 0.0, 3.0]]), draws)
        >>> payload.bytes_K  # three levels and one scale
        array([7])
        >>> Int8().decode(payload)
        tensor([[-127.,    0.,    3.]])

    Reference:
        Alistarh et al., "QSGD: Communication-Efficient SGD via Gradient Quantization and Encoding" (NeurIPS
        2017), Section 3, with the greatest magnitude of a block as its norm.
    """

    @property
    def most(self) -> int:
        """127, so that a level is one signed byte."""
        return 127
