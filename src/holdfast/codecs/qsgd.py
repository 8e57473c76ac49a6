"""Levels between zero and the Euclidean norm of a block."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from holdfast.codecs.levels import InLevels

__all__ = ["Qsgd"]


class Qsgd(InLevels):
    """Sends each value as a level between zero and its block's Euclidean norm, right on average.

    level_d = ⌊x_d / s⌋ + [u_d < x_d / s - ⌊x_d / s⌋],  s = ‖x_block‖₂ / L,  u_d ~ U[0, 1)

    decoded to s · level_d: unbiased, E[decode] = x, and for a block of B columns

    E‖decode - x‖² ≤ min(B / L², √B / L) ‖x‖²,

    so in whole rows too. A block with a value that is not finite arrives as NaN. It leaves no ``values``, so it
    stands last in a chain. Few levels leave most of them zero, which an entropy code makes small.

    Example:
        >>> import numpy as np, torch
        >>> from holdfast.seeding import Draws
        >>> draws = Draws(1, "codec", np.array([0]), 0)
        >>> _, payload = Qsgd(levels=5).encode({}, torch.tensor([[-3.0, 0.0, 4.0]]), draws)
        >>> payload.tensors["levels"], payload.tensors["scales"]  # the norm is 5
        (tensor([[-3,  0,  4]], dtype=torch.int8), tensor([[1.]]))
        >>> payload.bytes_K  # three levels and one scale
        array([7])

    Reference:
        Alistarh et al., "QSGD: Communication-Efficient SGD via Gradient Quantization and Encoding" (NeurIPS
        2017), Section 3.1 and Lemma 3.1.
    """

    euclidean: ClassVar[bool] = True
    levels: int = Field(127, ge=1, le=127, description="L, how many levels above zero; 127 fill a signed byte")

    @property
    def most(self) -> int:
        """L."""
        return self.levels
