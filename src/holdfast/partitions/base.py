"""The contract of partitions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch

from holdfast.component import Component
from holdfast.errors import InputError
from holdfast.partitions.shards import Parts
from holdfast.seeding import address, generator
from holdfast.types import IntArray

__all__ = ["Partition"]


class Partition(Component):
    """How the training samples are spread over the nodes."""

    family: ClassVar[str] = "partitions"
    disjoint: ClassVar[bool] = True
    """Whether every sample goes to exactly one node."""
    public: ClassVar[bool] = True
    """Whether every process knows who holds what."""

    @abstractmethod
    def split(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """The sample indices of each node.

        Args:
            targets: (S,) the classes of the training samples; in a regression, the quintile of each value.
            nodes: how many nodes.
            seed: the experiment's seed.

        Returns:
            For each node its global sample indices; a sequence that may compute them when asked.

        Raises:
            InputError: a node would be left without a sample.
        """

    def refuse_empty(self, parts: Sequence[IntArray]) -> Sequence[IntArray]:
        """The parts, if none is empty.

        Raises:
            InputError: one is.
        """
        sizes_N = parts.sizes if isinstance(parts, Parts) else np.array([len(part) for part in parts])
        empty = np.flatnonzero(sizes_N == 0)
        if len(empty):
            remedy = "Use fewer nodes, more data, or a partition that is less skewed."
            given = f"{len(empty)} empty nodes of {len(parts)} (first: node {empty[0]})"
            raise InputError("partition", "leave every node at least one sample", given, remedy)
        return parts

    @staticmethod
    def shuffled(indices: IntArray, seed: int, *ids: int) -> IntArray:
        """The indices in an addressed random order."""
        order = torch.randperm(len(indices), generator=generator(seed, "partition", *ids))
        result: IntArray = np.asarray(indices)[order.numpy()]
        return result

    @staticmethod
    def numbers(seed: int, *ids: int) -> np.random.Generator:
        """An addressed source of NumPy's random numbers, for the distributions that torch lacks."""
        return np.random.default_rng(int(address(seed, "partition.numbers", *ids)))
