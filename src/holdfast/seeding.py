"""Addressed randomness: every draw is a function of (experiment seed, purpose, node, round), never of order.

So results do not depend on the number of processes, on the order of arrival, or on which nodes share a process,
and a checkpoint needs no generator's state.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from holdfast.types import FloatArray, IntArray

__all__ = ["Draws", "address", "generator", "generators", "uniform"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014): a bijection of 64 bits that avalanches."""
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    mixed: NDArray[np.uint64] = z ^ (z >> np.uint64(31))
    return mixed


def address(seed: int, purpose: str, *ids: ArrayLike) -> NDArray[np.uint64]:
    """The 64-bit address of a draw; the ids broadcast, so one call addresses a draw for each of many nodes.

    Example:
        >>> address(1, "drop", [0, 1, 2], 5).shape
        (3,)
        >>> bool(address(1, "drop", 0, 5) == address(1, "drop", 0, 5))
        True
    """
    words = [np.asarray(seed), np.asarray(zlib.crc32(purpose.encode())), *map(np.asarray, ids)]
    state = np.zeros(1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for word in words:
            state = _mix((state + _GOLDEN) ^ _mix(word.astype(np.int64).view(np.uint64) + _GOLDEN))
    return state.reshape(np.broadcast_shapes(*(w.shape for w in words)))


def uniform(seed: int, purpose: str, *ids: ArrayLike) -> FloatArray:
    """One number in [0, 1) for each broadcast combination of the ids.

    Example:
        >>> u = uniform(1, "drop", np.arange(1000), 5)
        >>> bool(0.45 < u.mean() < 0.55)
        True
    """
    bits = address(seed, purpose, *ids) >> np.uint64(11)
    result: FloatArray = bits.astype(np.float64) * 2.0**-53
    return result


def generator(seed: int, purpose: str, *ids: int) -> torch.Generator:
    """A CPU generator that starts at the address; draw on the CPU so that every device sees the same numbers.

    Example:
        >>> a = torch.randperm(4, generator=generator(1, "batches", 7, 0))
        >>> b = torch.randperm(4, generator=generator(1, "batches", 7, 0))
        >>> bool((a == b).all())
        True
    """
    return generators(seed, purpose, *ids)[0]


def generators(seed: int, purpose: str, *ids: ArrayLike) -> list[torch.Generator]:
    """One generator for each broadcast combination of the ids, in row-major order.

    Example:
        >>> len(generators(1, "batches", [3, 4, 5], 0))
        3
    """
    words = np.ravel(address(seed, purpose, *ids) >> np.uint64(1))
    return [torch.Generator().manual_seed(word) for word in words.tolist()]


@dataclass(frozen=True)
class Draws:
    """The random numbers of one purpose in one round, a row for each node.

    Args:
        seed: the experiment's seed.
        purpose: what the numbers are for; two purposes, nodes or rounds share a stream with a probability of 2⁻³²,
            the bits of a seed that torch's generator takes.
        nodes_K: the nodes, one a row.
        round: the round.

    Example:
        >>> draws = Draws(1, "int8", np.array([4, 9]), round=3)
        >>> draws.uniform(5).shape
        torch.Size([2, 5])
        >>> alone = Draws(1, "int8", np.array([9]), round=3)
        >>> bool((alone.uniform(5)[0] == draws.uniform(5)[1]).all())
        True
    """

    seed: int
    purpose: str
    nodes_K: IntArray
    round: int

    @property
    def addresses_K(self) -> NDArray[np.uint64]:
        """(K,) where each node's random numbers start, for loops that make them by counting."""
        return address(self.seed, self.purpose, self.nodes_K, self.round)

    def generators(self) -> list[torch.Generator]:
        """One generator for each node."""
        return generators(self.seed, self.purpose, self.nodes_K, self.round)

    def uniform(self, columns: int) -> Tensor:
        """(K, columns) float32 in [0, 1), each row from its node's own generator."""
        return self._rows(torch.rand, columns)

    def normal(self, columns: int) -> Tensor:
        """(K, columns) float32 standard normal, each row from its node's own generator."""
        return self._rows(torch.randn, columns)

    def _rows(self, draw: object, columns: int) -> Tensor:
        rows = torch.empty(len(self.nodes_K), columns)
        for row, source in zip(rows, self.generators(), strict=True):
            draw(columns, generator=source, out=row)  # type: ignore[operator]
        return rows

    def rows(self, index: IntArray) -> Draws:
        """The draws of some of the rows."""
        return Draws(self.seed, self.purpose, self.nodes_K[index], self.round)
