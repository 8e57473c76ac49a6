"""Neighbouring nodes that share samples."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import ClassVar

import numpy as np
from pydantic import Field

from holdfast.partitions.base import Partition
from holdfast.partitions.shards import Shards
from holdfast.types import IntArray

__all__ = ["Overlap"]


class Overlap(Partition):
    r"""Deals the shuffled samples out evenly, and lets each node share the first samples of the next one.

    With π a random permutation of the S samples and b = S/N, node i holds π(⌊ib⌋), …, π(⌊(i+1)b⌋ + ⌊ob⌋ - 1),
    the positions taken modulo S: ⌊(1+o)b⌋ samples where b is a whole number. Every sample is held, and no
    node holds one twice. With o = 0 the split is that of `iid`.

    Raises:
        InputError: there are more nodes than samples.

    Example:
        >>> parts = Overlap(overlap=0.5).split(np.zeros(8, dtype=np.int64), nodes=2, seed=1)
        >>> [len(part) for part in parts]
        [6, 6]
        >>> len(np.intersect1d(*parts))
        4

    Source: the `overlap` of dyn-fed.
    """

    disjoint: ClassVar[bool] = False
    overlap: float = Field(
        0.2,
        ge=0,
        description="how far a node reaches into the next one's samples, as a fraction of its share",
    )

    def split(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """The sample indices of each node."""
        samples = len(targets)
        order = self.shuffled(np.arange(samples), seed)
        cuts = np.arange(nodes + 1) * samples // nodes
        self.refuse_empty(Shards.cut(order, cuts))
        extra = floor(round(self.overlap * samples / nodes, 9))  # rounded, since 0.29 * 100 is 28.999…
        lengths_N = np.minimum(np.diff(cuts) + min(extra, samples), samples)
        return Shards(np.concatenate([order, order]), cuts[:-1], cuts[:-1] + lengths_N)
