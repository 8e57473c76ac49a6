"""What choosing costs: the values of greatest magnitude of a row, found by counting and without sorting it.

On the CPU a row is one thread's work. What is chosen is the same on every device.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from holdfast.kernels.machine import compiled, in_threads

__all__ = ["greatest"]

Bits = NDArray[np.int32]

_DIGITS = ((20, 11), (10, 10), (0, 10))
"""The digits of a magnitude's 31 bits, the greatest first: how far to shift for it, and how many bits it has."""
_MAGNITUDE = 0x7FFFFFFF


def greatest(x_KD: Tensor, k: int) -> Tensor:
    """Where the k values of greatest magnitude of each row stand: (K, k) int32, ascending.

    A tie goes to the lower place. NaN is greater than infinity, which is greater than all numbers.

    Example:
        >>> greatest(torch.tensor([[1.0, -5.0, 0.0, 3.0, 3.0]]), k=2)
        tensor([[1, 3]], dtype=torch.int32)
    """
    if x_KD.device.type != "cpu":
        return _by_threshold(x_KD, k)
    x = x_KD.detach().float().contiguous().numpy().view(np.int32)
    places = np.empty((len(x), k), np.int32)
    in_threads(lambda first, last: _greatest(x, first, last, places), len(x), x.size)
    return torch.from_numpy(places)


def _by_threshold(x_KD: Tensor, k: int) -> Tensor:
    """The same in whole tensors, for other devices."""
    magnitude_KD = x_KD.detach().float().contiguous().view(torch.int32) & _MAGNITUDE
    least_K1 = magnitude_KD.topk(k, dim=1, sorted=False).values.amin(1, keepdim=True)
    above_KD, tied_KD = magnitude_KD > least_K1, magnitude_KD == least_K1
    room_K1 = k - above_KD.sum(1, keepdim=True)
    chosen_KD = above_KD | (tied_KD & (tied_KD.cumsum(1, dtype=torch.int32) <= room_K1))
    return chosen_KD.nonzero()[:, 1].view(-1, k).int()


@compiled
def _greatest(x: Bits, first: int, last: int, places: Bits) -> None:
    """Find the k-th greatest magnitude digit by digit, and then what is greater, and as many ties as there is room."""
    for row in range(first, last):
        prefix, left = 0, places.shape[1]
        for shift, bits in _DIGITS:
            counts = _count(x[row], prefix, shift, bits)
            digit = len(counts) - 1
            while counts[digit] < left:
                left -= counts[digit]
                digit -= 1
            prefix = prefix << bits | digit
        _take(x[row], prefix, left, places[row])


@compiled
def _count(x: Bits, prefix: int, shift: int, bits: int) -> Bits:
    """How often each digit follows the prefix."""
    counts = np.zeros(1 << bits, np.int32)
    for c in range(x.shape[0]):
        magnitude = x[c] & _MAGNITUDE
        if magnitude >> (shift + bits) == prefix:
            counts[magnitude >> shift & ((1 << bits) - 1)] += 1
    return counts


@compiled
def _take(x: Bits, threshold: int, ties: int, places: Bits) -> None:
    """Write the places of what is above the threshold, and of the first few that equal it."""
    at = 0
    for c in range(x.shape[0]):
        magnitude = x[c] & _MAGNITUDE
        if magnitude > threshold:
            places[at] = c
            at += 1
        elif magnitude == threshold and ties > 0:
            places[at] = c
            at += 1
            ties -= 1
