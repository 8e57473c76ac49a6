"""Skewed classes, by the Dirichlet distribution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from holdfast.errors import InputError
from holdfast.partitions.base import Dealt
from holdfast.partitions.shards import Shards
from holdfast.types import IntArray

__all__ = ["Dirichlet"]


class Dirichlet(Dealt):
    r"""Spreads each class over the nodes in random proportions: the smaller alpha, the more skewed.

    For each class c, p_c ~ Dir(alpha, …, alpha) over the N nodes, and node i gets the share p_ci of its
    samples. Proportions that leave a node fewer than `min_samples` are drawn anew.

    Raises:
        InputError: no attempt left every node its least number of samples.

    Example:
        >>> targets = np.repeat(np.arange(10), 100)
        >>> parts = Dirichlet(alpha=0.5).split(targets, nodes=4, seed=1)
        >>> sum(len(part) for part in parts)
        1000

    Source: Hsu, Qi & Brown, "Measuring the effects of non-identical data distribution for federated visual
    classification", 2019; drawn for each class as in Yurochkin et al. 2019.
    """

    alpha: float = Field(
        0.5, gt=0, description="how even the proportions are, as the distribution's concentration (no unit)"
    )
    min_samples: int = Field(1, ge=1, description="how many samples every node is dealt at least, in samples")
    attempts: int = Field(100, ge=1, description="how often the proportions may be drawn, in draws")

    def deal(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """The sample indices of each node."""
        _, class_S, sizes_C = np.unique(targets, return_inverse=True, return_counts=True)
        counts_CN = self._counts(sizes_C, nodes, seed)
        owner_S = np.empty(len(targets), dtype=np.int64)
        for label, counts_N in enumerate(counts_CN):
            samples = self.shuffled(np.flatnonzero(class_S == label), seed, label)
            owner_S[samples] = np.repeat(np.arange(nodes), counts_N)
        return Shards.owned(owner_S, nodes)

    def _counts(self, sizes_C: IntArray, nodes: int, seed: int) -> IntArray:
        """The first draw of how many samples of each class go to each node that leaves nobody short."""
        enough = sizes_C.sum() >= nodes * self.min_samples
        for attempt in range(self.attempts if enough else 0):
            counts_CN = self._draw(sizes_C, nodes, seed, attempt)
            if counts_CN.sum(axis=0).min() >= self.min_samples:
                return counts_CN
        given = f"alpha {self.alpha} over {nodes} nodes and {sizes_C.sum()} samples"
        remedy = "Raise alpha, use fewer nodes or more data, or allow more attempts."
        raise InputError("partition", f"leave every node at least {self.min_samples} samples", given, remedy)

    def _draw(self, sizes_C: IntArray, nodes: int, seed: int, attempt: int) -> IntArray:
        p_CN = self.numbers(seed, attempt).dirichlet(np.full(nodes, self.alpha), size=len(sizes_C))
        cuts_CN = np.floor(np.cumsum(p_CN, axis=1) * sizes_C[:, None]).astype(np.int64)
        cuts_CN[:, -1] = sizes_C  # the proportions add up to 1 but for rounding
        return np.diff(np.minimum(cuts_CN, sizes_C[:, None]), axis=1, prepend=0)
