"""A random sample for each node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from holdfast.errors import InputError
from holdfast.partitions.base import Partition
from holdfast.partitions.shards import Parts
from holdfast.types import IntArray

__all__ = ["Resample", "Resampled"]


class Resample(Partition):
    """Draws for every node its own random sample of the data, which other nodes may hold too.

    Node i holds a uniformly random set of `samples` of the S samples, drawn when it is asked for: a
    population of any size costs nothing until a node takes part. Some of the S samples may be with nobody.

    Raises:
        InputError: a node should hold more samples than there are.

    Example:
        >>> parts = Resample(samples=5).split(np.zeros(100, dtype=np.int64), nodes=1_000_000, seed=1)
        >>> len(parts), len(parts[999_999])
        (1000000, 5)
    """

    disjoint: ClassVar[bool] = False
    pooled: ClassVar[bool] = True
    samples: int = Field(64, ge=1, description="how many samples each node draws, in samples")

    def split(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """The sample indices of each node, drawn when asked."""
        if self.samples > len(targets):
            required = f"be at most the {len(targets)} training samples"
            raise InputError("partition.samples", required, self.samples, "Lower it, or use more data.")
        return Resampled(len(targets), self.samples, nodes, seed)


class Resampled(Parts):
    """A random set of samples for each node, drawn when asked.

    Args:
        population: how many samples there are to draw from.
        samples: how many each node draws, without replacement.
        nodes: how many nodes there are.
        seed: the experiment's seed.

    Example:
        >>> Resampled(100, 5, nodes=3, seed=1)[0].shape
        (5,)
    """

    def __init__(self, population: int, samples: int, nodes: int, seed: int) -> None:
        self.population, self.samples, self.nodes, self.seed = population, samples, nodes, seed

    def __len__(self) -> int:
        return self.nodes

    @property
    def sizes(self) -> IntArray:
        """(N,) how many samples each node holds."""
        return np.broadcast_to(np.int64(self.samples), (self.nodes,))

    def part(self, node: int) -> IntArray:
        """The sample indices of a node in 0..N-1, from its own addressed randomness."""
        return Partition.numbers(self.seed, node).choice(self.population, self.samples, replace=False)
