"""Chunks of sorted classes, of which pairs of nodes swap a part."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from holdfast.partitions.base import Dealt
from holdfast.partitions.shards import Shards
from holdfast.seeding import uniform
from holdfast.types import IntArray

__all__ = ["SortedPairs"]


class SortedPairs(Dealt):
    """Cuts the samples, sorted by class, into a chunk a node, and lets pairs of nodes swap a part of theirs.

    Chunk i of N holds the sorted samples ⌊iS/N⌋, …, ⌊(i+1)S/N⌋ - 1. For i < ⌊N/2⌋ the nodes i and i + ⌈N/2⌉ are a pair,
    so that their classes lie far apart, and each hands the other round(s·n) random samples, where s is `swap` and n the
    smaller of their chunks. In an odd number of nodes the middle one keeps its chunk. With 10 balanced classes, 10
    nodes and s = ½, node i holds half of class i and half of class i ± 5.

    Raises:
        InputError: there are more nodes than samples.

    Example:
        >>> targets = np.repeat(np.arange(4), 6)
        >>> parts = SortedPairs().split(targets, nodes=4, seed=1)
        >>> [np.bincount(targets[part], minlength=4).tolist() for part in parts]
        [[3, 0, 3, 0], [0, 3, 0, 3], [3, 0, 3, 0], [0, 3, 0, 3]]

    Source: the non-IID split of dyn-fed; here the swapped samples are drawn without replacement, so none is lost.
    """

    swap: float = Field(
        0.5, ge=0, le=1, description="how much of its chunk a node swaps with its partner, as a fraction"
    )

    def deal(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """The sample indices of each node, before `unbalanced`."""
        samples = len(targets)
        chance_S = uniform(seed, "partition", np.arange(samples))
        sorted_S = np.lexsort((chance_S, targets))
        cuts = np.arange(nodes + 1) * samples // nodes
        self.refuse_empty(Shards.cut(sorted_S, cuts))
        sizes_N, partner_N = np.diff(cuts), _partners(nodes)
        swapped_N = np.rint(self.swap * np.minimum(sizes_N, sizes_N[partner_N]))
        chunk_S = np.repeat(np.arange(nodes), sizes_N)
        # Within its chunk every sample gets a place by chance, whatever its class; the first places are swapped.
        mixed_S = sorted_S[np.lexsort((uniform(seed, "swap", sorted_S), chunk_S))]
        goes_S = np.arange(samples) - cuts[chunk_S] < swapped_N[chunk_S]
        owner_S = np.empty(samples, dtype=np.int64)
        owner_S[mixed_S] = np.where(goes_S, partner_N[chunk_S], chunk_S)
        return Shards.owned(owner_S, nodes)


def _partners(nodes: int) -> IntArray:
    """(N,) who swaps with whom; the middle one of an odd number with itself.

    Example:
        >>> _partners(5).tolist()
        [3, 4, 2, 0, 1]
    """
    partner_N, pairs = np.arange(nodes), nodes // 2
    partner_N[:pairs] += nodes - pairs
    partner_N[nodes - pairs :] -= nodes - pairs
    return partner_N
