"""The even, random partition."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from holdfast.partitions.base import Dealt
from holdfast.partitions.shards import Shards
from holdfast.types import IntArray

__all__ = ["Iid"]


class Iid(Dealt):
    """Deals the shuffled samples out evenly, so every node sees the same distribution.

    With π a random permutation of the S samples, node i of N holds π(⌊iS/N⌋), …, π(⌊(i+1)S/N⌋ - 1); the sizes
    differ by one at most.

    Raises:
        InputError: there are more nodes than samples.

    Example:
        >>> parts = Iid().split(np.zeros(10, dtype=np.int64), nodes=3, seed=1)
        >>> [len(part) for part in parts]
        [3, 3, 4]

    Source: McMahan et al., "Communication-efficient learning of deep networks from decentralized data", 2017,
    section 3.
    """

    def deal(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """The sample indices of each node."""
        samples = len(targets)
        cuts = np.arange(nodes + 1) * samples // nodes
        return self.refuse_empty(Shards.cut(self.shuffled(np.arange(samples), seed), cuts))
