"""Unequal amounts of data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from holdfast.errors import InputError
from holdfast.partitions.base import Dealt
from holdfast.partitions.shards import Shards
from holdfast.types import IntArray

__all__ = ["Quantity"]


class Quantity(Dealt):
    """Deals the shuffled samples out in unequal amounts, cut at uniformly random points.

    With π a random permutation of the S samples and 0 = c_0 < c_1 < … < c_N = S, where c_1, …, c_{N-1} are
    drawn from 1, …, S - 1 without replacement, node i holds π(c_i), …, π(c_{i+1} - 1): never nothing.

    Raises:
        InputError: there are more nodes than samples.

    Example:
        >>> parts = Quantity().split(np.zeros(100, dtype=np.int64), nodes=4, seed=1)
        >>> sum(len(part) for part in parts), min(len(part) for part in parts) > 0
        (100, True)

    Source: the unbalanced split of dyn-fed.
    """

    def deal(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """The sample indices of each node."""
        samples = len(targets)
        if nodes > samples:
            given = f"{nodes} nodes for {samples} samples"
            remedy = "Use fewer nodes or more data."
            raise InputError("partition", "leave every node at least one sample", given, remedy)
        inner = 1 + self.numbers(seed).permutation(samples - 1)[: nodes - 1]
        cuts = np.concatenate([[0], np.sort(inner), [samples]])
        return Shards.cut(self.shuffled(np.arange(samples), seed), cuts)
