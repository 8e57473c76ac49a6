"""What codecs cost: loops that read a block of columns once, and out of the cache again, and write its few bytes.

They run on the CPU: rows on another device come here and their bytes go back, so that every device sees the same ones.
What is written depends neither on the number of threads nor on which rows are encoded together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from holdfast.kernels.counters import AT_ONCE, room, uniform_bits
from holdfast.kernels.machine import compiled, in_threads

__all__ = ["from_levels", "from_powers", "to_levels", "to_powers", "to_signs"]

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]

_MAGNITUDE = 0x7FFFFFFF
_INFINITE = 0x7F800000
_GREATEST = float(np.finfo(np.float32).max)


def _floats(x: Tensor) -> Floats:
    found: Floats = x.detach().to("cpu", torch.float32).contiguous().numpy()
    return found


def _bytes(codes: Tensor) -> Bytes:
    found: Bytes = codes.cpu().contiguous().view(torch.uint8).numpy()
    return found


def _encoded(
    x_KD: Tensor, block: int, bits: int, kernel: Callable[[Floats, int, int, Bytes, Floats], None]
) -> tuple[Tensor, Tensor]:
    """The (K, ⌈D · bits / 8⌉) bytes and one float32 for each block, which a kernel writes for its share of blocks."""
    x, (rows, columns) = _floats(x_KD), x_KD.shape
    codes = np.empty((rows, -(-columns * bits // 8)), np.uint8)
    steps = np.empty((rows, -(-columns // block)), np.float32)
    in_threads(lambda first, last: kernel(x, first, last, codes, steps), steps.size, x.size)
    return torch.from_numpy(codes).to(x_KD.device), torch.from_numpy(steps).to(x_KD.device)


# ---------------------------------------------------------------- levels of a block


def to_levels(
    x_KD: Tensor, addresses_K: Words, block: int, most: int, bits: int, *, euclidean: bool = False
) -> tuple[Tensor, Tensor]:
    r"""Whole multiples of a step for each block, rounded at random so that they are right on average.

    .. math:: \ell_d = \lfloor x_d / s \rfloor + [u_d < x_d / s - \lfloor x_d / s \rfloor], \qquad s = \|x_b\| / L

    where u_d is the upper 24 of the column's random bits, as a fraction.

    Args:
        x_KD: (K, D) rows.
        addresses_K: (K,) uint64, where the random numbers of each row start.
        block: how many columns share a step; a multiple of 8 where levels share a byte.
        most: L, the greatest level.
        bits: of a level: 8 for a signed byte; 2 or 4 for level + L, several a byte, the first column lowest.
        euclidean: whether a block is measured by its Euclidean norm, else by its greatest magnitude.

    Returns:
        (K, ⌈D · bits / 8⌉) uint8, and (K, ⌈D / block⌉) float32 steps: NaN for a block with a value that is not finite.

    Example:
        >>> codes, steps = to_levels(torch.tensor([[-7.0, 0.0, 2.0]]), np.zeros(1, np.uint64), block=8, most=7, bits=4)
        >>> codes, steps  # levels -7, 0 and 2, to which 7 is added
        (tensor([[112,   9]], dtype=torch.uint8), tensor([[1.]]))
    """
    zero = 0 if bits == 8 else most

    def kernel(x: Floats, first: int, last: int, codes: Bytes, steps: Floats) -> None:
        _to_levels(x, addresses_K, block, most, bits, zero, euclidean, first, last, codes, steps)

    return _encoded(x_KD, block, bits, kernel)


@compiled
def _to_levels(
    x: Floats,
    addresses: Words,
    block: int,
    most: int,
    bits: int,
    zero: int,
    euclidean: bool,
    first: int,
    last: int,
    codes: Bytes,
    steps: Floats,
) -> None:
    words, levels = room(), np.empty(AT_ONCE, np.uint8)
    for task in range(first, last):
        row, start = task // steps.shape[1], task % steps.shape[1] * block
        end = min(start + block, x.shape[1])
        step = _step(x[row, start:end], most, euclidean)
        steps[row, start // block] = step
        for c in range(start, end, AT_ONCE):
            w = min(AT_ONCE, end - c)
            _round(x[row, c : c + w], step, most, zero, uniform_bits(addresses[row], c, w, words), levels)
            _pack(levels, w, bits, codes[row, c * bits // 8 :])


@compiled
def _step(x: Floats, most: int, euclidean: bool) -> np.float32:
    """The norm divided by the greatest level; NaN where a value is not finite."""
    greatest = np.empty(1, np.int32)
    greatest[0] = _greatest_magnitude(x)
    if greatest[0] >= _INFINITE:
        return np.float32(np.nan)
    if euclidean:
        return np.float32(min(np.sqrt(_square(x)) / most, _GREATEST))
    step: np.float32 = greatest.view(np.float32)[0] / np.float32(most)
    return step


@compiled
def _greatest_magnitude(x: Floats) -> np.int32:
    """The bits of max |x|, which are in the order of what they stand for, NaN above all."""
    bits, greatest = x.view(np.int32), np.int32(0)
    for c in range(bits.shape[0]):
        magnitude = np.int32(bits[c] & _MAGNITUDE)
        greatest = magnitude if magnitude > greatest else greatest
    return greatest


@compiled
def _square(x: Floats) -> float:
    total = 0.0
    for c in range(x.shape[0]):
        total += np.float64(x[c]) * np.float64(x[c])
    return total


@compiled
def _round(x: Floats, step: np.float32, most: int, zero: int, draws: NDArray[np.int32], levels: Bytes) -> None:
    """The level of each value, counted from ``zero``; 0 where the step is 0 or NaN, which tells those blocks apart."""
    if not step > 0:
        levels[:] = zero
        return
    top, middle = np.float32(most), np.float32(zero)
    for c in range(x.shape[0]):
        exact = x[c] / step
        low = np.floor(exact)
        u = np.float32(np.int32(draws[c] >> 8 & 0xFFFFFF)) * np.float32(2.0**-24)
        level = low + (np.float32(1) if u < exact - low else np.float32(0))
        levels[c] = np.int32(min(max(level, -top), top) + middle)


@compiled
def _pack(levels: Bytes, w: int, bits: int, codes: Bytes) -> None:
    """Write w levels of so many bits each, the first lowest; what is left of the last byte is 0."""
    for c in range(w, -(-w // 8) * 8):
        levels[c] = 0
    for j in range(-(-w * bits // 8)):
        if bits == 8:
            codes[j] = levels[j]
        elif bits == 4:
            codes[j] = levels[2 * j] | levels[2 * j + 1] << 4
        elif bits == 2:
            codes[j] = levels[4 * j] | levels[4 * j + 1] << 2 | levels[4 * j + 2] << 4 | levels[4 * j + 3] << 6
        else:
            i = 8 * j
            low = levels[i] | levels[i + 1] << 1 | levels[i + 2] << 2 | levels[i + 3] << 3
            codes[j] = low | levels[i + 4] << 4 | levels[i + 5] << 5 | levels[i + 6] << 6 | levels[i + 7] << 7


@compiled
def _unpack(codes: Bytes, w: int, bits: int, levels: Bytes) -> None:
    """Read w levels of so many bits each, and what shares a byte with the last."""
    for j in range(-(-w * bits // 8)):
        code = codes[j]
        if bits == 8:
            levels[j] = code
        elif bits == 4:
            levels[2 * j], levels[2 * j + 1] = code & 15, code >> 4
        elif bits == 2:
            levels[4 * j], levels[4 * j + 1], levels[4 * j + 2] = code & 3, code >> 2 & 3, code >> 4 & 3
            levels[4 * j + 3] = code >> 6
        else:
            for i in range(8):
                levels[8 * j + i] = code >> i & 1


def from_levels(
    codes: Tensor, steps: Tensor, columns: int, block: int, bits: int, *, zero: int, gap: int = 1
) -> Tensor:
    """The (K, D) float32 rows (gap · code - zero) · step of codes with so many bits.

    Example:
        >>> from_levels(torch.tensor([[112, 9]], dtype=torch.uint8), torch.tensor([[1.0]]), 3, block=8, bits=4, zero=7)
        tensor([[-7.,  0.,  2.]])
    """
    packed, scales = _bytes(codes), _floats(steps)
    x = np.empty((len(packed), columns), np.float32)

    def work(first: int, last: int) -> None:
        _from_levels(packed, scales, block, bits, zero, gap, first, last, x)

    in_threads(work, scales.size, x.size)
    return torch.from_numpy(x).to(codes.device)


@compiled
def _from_levels(
    codes: Bytes, steps: Floats, block: int, bits: int, zero: int, gap: int, first: int, last: int, x: Floats
) -> None:
    levels = np.empty(AT_ONCE, np.uint8)
    for task in range(first, last):
        row, start = task // steps.shape[1], task % steps.shape[1] * block
        end, step = min(start + block, x.shape[1]), steps[row, start // block]
        for c in range(start, end, AT_ONCE):
            w = min(AT_ONCE, end - c)
            _unpack(codes[row, c * bits // 8 :], w, bits, levels)
            _scale(levels.view(np.int8), step, zero, gap, x[row, c : c + w])


@compiled
def _scale(levels: NDArray[np.int8], step: np.float32, zero: int, gap: int, x: Floats) -> None:
    middle, times = np.float32(zero), np.float32(gap)
    for c in range(x.shape[0]):
        x[c] = (np.float32(levels[c]) * times - middle) * step


# ---------------------------------------------------------------- signs


def to_signs(x_KD: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """One bit for each value, 1 for x ≥ 0, eight a byte, the first lowest; and the mean magnitude of each block.

    `from_levels` with ``bits=1, zero=1, gap=2`` makes rows of them.

    Args:
        x_KD: (K, D) rows.
        block: how many columns share a mean; a multiple of 8.

    Returns:
        (K, ⌈D / 8⌉) uint8, and (K, ⌈D / block⌉) float32 means: NaN for a block with a value that is not finite.

    Example:
        >>> to_signs(torch.tensor([[1.0, -4.0, 0.0, 1.0]]), block=8)
        (tensor([[13]], dtype=torch.uint8), tensor([[1.5000]]))
    """

    def kernel(x: Floats, first: int, last: int, codes: Bytes, means: Floats) -> None:
        _to_signs(x, block, first, last, codes, means)

    return _encoded(x_KD, block, 1, kernel)


@compiled
def _to_signs(x: Floats, block: int, first: int, last: int, codes: Bytes, means: Floats) -> None:
    signs = np.empty(AT_ONCE, np.uint8)
    for task in range(first, last):
        row, start = task // means.shape[1], task % means.shape[1] * block
        end, total = min(start + block, x.shape[1]), 0.0
        for c in range(start, end, AT_ONCE):
            w = min(AT_ONCE, end - c)
            total += _signs(x[row, c : c + w], signs)
            _pack(signs, w, 1, codes[row, c // 8 :])
        means[row, start // block] = total / (end - start) if total < np.inf else np.nan


@compiled
def _signs(x: Floats, signs: Bytes) -> float:
    """Write which values are not less than 0, and sum the magnitudes."""
    total = 0.0
    for c in range(x.shape[0]):
        total += np.float64(abs(x[c]))
    for c in range(x.shape[0]):
        signs[c] = 1 if x[c] >= 0 else 0
    return total


# ---------------------------------------------------------------- powers of two


def to_powers(x_KD: Tensor, addresses_K: Words) -> tuple[Tensor, Tensor]:
    r"""The exponent and the sign of each value, its magnitude rounded at random to a power of two, right on average.

    .. math:: |x| = 2^e (1 + m) \mapsto 2^{e + [u < m]}

    Adding 23 random bits to the 23 of the mantissa carries into the exponent with probability m, and rounds numbers
    below 2⁻¹²⁶ to that or 0 in the same way. Nothing finite is rounded beyond 2¹²⁷, the greatest power.

    Args:
        x_KD: (K, D) rows.
        addresses_K: (K,) uint64, where the random numbers of each row start.

    Returns:
        (K, D) uint8 exponents as in float32: e + 127, 0 for the number 0, 255 for what is not finite; and (K, ⌈D / 8⌉)
        uint8 signs, 1 for minus, eight a byte, the first lowest.

    Example:
        >>> to_powers(torch.tensor([[1.0, -0.5, 0.0]]), np.zeros(1, np.uint64))
        (tensor([[127, 126,   0]], dtype=torch.uint8), tensor([[2]], dtype=torch.uint8))
    """
    x, (rows, columns) = _floats(x_KD).view(np.int32), x_KD.shape
    exponents, signs = np.empty((rows, columns), np.uint8), np.empty((rows, -(-columns // 8)), np.uint8)
    parts = -(-columns // AT_ONCE)

    def work(first: int, last: int) -> None:
        _to_powers(x, addresses_K, parts, first, last, exponents, signs)

    in_threads(work, rows * parts, x.size)
    return torch.from_numpy(exponents).to(x_KD.device), torch.from_numpy(signs).to(x_KD.device)


@compiled
def _to_powers(
    x: NDArray[np.int32], addresses: Words, parts: int, first: int, last: int, exponents: Bytes, signs: Bytes
) -> None:
    words, minus = room(), np.empty(AT_ONCE, np.uint8)
    for task in range(first, last):
        row, c = task // parts, task % parts * AT_ONCE
        w = min(AT_ONCE, x.shape[1] - c)
        draws = uniform_bits(addresses[row], c, w, words)
        _split(x[row, c : c + w], draws, exponents[row, c : c + w], minus)
        _pack(minus, w, 1, signs[row, c // 8 :])


@compiled
def _split(x: NDArray[np.int32], draws: NDArray[np.int32], exponents: Bytes, minus: Bytes) -> None:
    for c in range(x.shape[0]):
        magnitude = x[c] & _MAGNITUDE
        rounded = min((magnitude + ((draws[c] >> 9) & 0x7FFFFF)) >> 23, 254)
        exponents[c] = 255 if magnitude >= _INFINITE else rounded
        minus[c] = 1 if x[c] < 0 else 0


def from_powers(exponents: Tensor, signs: Tensor) -> Tensor:
    """The (K, D) float32 rows ±2ᵉ, infinite where a value was not finite; see `to_powers`.

    Example:
        >>> from_powers(*to_powers(torch.tensor([[1.0, -0.5, 0.0, torch.nan]]), np.zeros(1, np.uint64)))
        tensor([[ 1.0000, -0.5000,  0.0000,     inf]])
    """
    made, packed = _bytes(exponents), _bytes(signs)
    x, parts = np.empty(made.shape, np.int32), -(-made.shape[1] // AT_ONCE)

    def work(first: int, last: int) -> None:
        _from_powers(made, packed, parts, first, last, x)

    in_threads(work, len(made) * parts, x.size)
    return torch.from_numpy(x.view(np.float32)).to(exponents.device)


@compiled
def _from_powers(exponents: Bytes, signs: Bytes, parts: int, first: int, last: int, x: NDArray[np.int32]) -> None:
    minus = np.empty(AT_ONCE, np.uint8)
    for task in range(first, last):
        row, c = task // parts, task % parts * AT_ONCE
        w = min(AT_ONCE, x.shape[1] - c)
        _unpack(signs[row, c // 8 :], w, 1, minus)
        _join(exponents[row, c : c + w], minus, x[row, c : c + w])


@compiled
def _join(exponents: Bytes, minus: Bytes, x: NDArray[np.int32]) -> None:
    for c in range(x.shape[0]):
        x[c] = np.int32(exponents[c]) << 23 | np.int32(minus[c]) << 31
