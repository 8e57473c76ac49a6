"""Powers of two."""

from __future__ import annotations

from torch import Tensor

from holdfast.codecs.base import Codec, Payload
from holdfast.seeding import Draws
from holdfast.types import State

__all__ = ["Natural"]


class Natural(Codec):
    """Sends each value as a sign and a power of two, rounded at random so that it is right on average.

    |x| = 2^e (1 + m)  ↦  2^{e + [u < m]},  u ~ U[0, 1)

    unbiased, E[decode] = x, and E‖decode - x‖² ≤ ‖x‖² / 8, for 2⁻¹²⁶ ≤ |x| ≤ 2¹²⁷. Greater numbers are sent as
    2¹²⁷, lesser ones as 2⁻¹²⁶ or 0, still right on average. One byte holds the exponent as in float32, and
    eight signs make another, the first lowest, 1 for minus: nine bits a value. What is not finite arrives as ±∞.
    It leaves no ``values``, so it stands last in a chain.

    Example:
        >>> import numpy as np, torch
        >>> draws = Draws(1, "codec", np.array([0]), 0)
        >>> _, payload = Natural().encode({}, torch.tensor([[-4.0, 0.0, 0.5]]), draws)
        >>> payload.bytes_K  # three exponents, and three signs in one byte
        array([4])
        >>> Natural().decode(payload)
        tensor([[-4.0000,  0.0000,  0.5000]])

    Reference:
        Horváth et al., "Natural Compression for Distributed Deep Learning" (MSML 2022), Definition 1 and Theorem 1.
    """

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        """The state, unchanged, ``exponents`` (K, D) uint8 and ``signs`` (K, ⌈D / 8⌉) uint8."""
        from holdfast.kernels import coding  # numba loads slowly

        exponents, signs = coding.to_powers(x_KD, draws.addresses_K)
        return state, Payload({"exponents": exponents, "signs": signs}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        """The (K, D) float32 rows."""
        from holdfast.kernels import coding  # numba loads slowly

        return coding.from_powers(payload.tensors["exponents"], payload.tensors["signs"])
