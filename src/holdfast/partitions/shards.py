"""Sequences of index arrays that cost nothing until a node is asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import overload

import numpy as np

from holdfast.types import IntArray

__all__ = ["Parts", "Shards"]


class Parts(Sequence[IntArray]):
    """The sample indices of each node, computed when asked; `sizes` tells how many without computing them."""

    @property
    @abstractmethod
    def sizes(self) -> IntArray:
        """(N,) how many samples each node holds."""

    @abstractmethod
    def part(self, node: int) -> IntArray:
        """The sample indices of a node in 0..N-1."""

    @overload
    def __getitem__(self, node: int) -> IntArray: ...
    @overload
    def __getitem__(self, node: slice) -> list[IntArray]: ...
    def __getitem__(self, node: int | slice) -> IntArray | list[IntArray]:
        chosen = range(len(self))[node]
        return [self.part(each) for each in chosen] if isinstance(chosen, range) else self.part(chosen)


class Shards(Parts):
    """Slices of one index array: ``shards[i]`` is a view of ``indices_S[starts_N[i]:ends_N[i]]``.

    Args:
        indices_S: sample indices.
        starts_N: where the slice of each node starts.
        ends_N: where it ends.

    Example:
        >>> shards = Shards(np.array([4, 2, 0, 1, 3]), np.array([0, 3]), np.array([3, 5]))
        >>> [part.tolist() for part in shards]
        [[4, 2, 0], [1, 3]]
    """

    def __init__(self, indices_S: IntArray, starts_N: IntArray, ends_N: IntArray) -> None:
        self.indices_S, self.starts_N, self.ends_N = indices_S, starts_N, ends_N

    @classmethod
    def cut(cls, indices_S: IntArray, cuts: IntArray) -> Shards:
        """The slices between consecutive cuts, the first of which is 0 and the last the number of indices.

        Example:
            >>> [part.tolist() for part in Shards.cut(np.array([4, 2, 0]), np.array([0, 1, 3]))]
            [[4], [2, 0]]
        """
        return cls(indices_S, cuts[:-1], cuts[1:])

    @classmethod
    def owned(cls, owner_S: IntArray, nodes: int) -> Shards:
        """Each sample with the node that owns it.

        Example:
            >>> [part.tolist() for part in Shards.owned(np.array([1, 0, 1]), nodes=2)]
            [[1], [0, 2]]
        """
        counts_N = np.bincount(owner_S, minlength=nodes)
        return cls.cut(np.argsort(owner_S, kind="stable"), np.concatenate([[0], np.cumsum(counts_N)]))

    def __len__(self) -> int:
        return len(self.starts_N)

    @cached_property
    def sizes(self) -> IntArray:
        """(N,) how many samples each node holds."""
        return self.ends_N - self.starts_N

    def part(self, node: int) -> IntArray:
        """A view of the sample indices of a node in 0..N-1."""
        return self.indices_S[self.starts_N[node] : self.ends_N[node]]
