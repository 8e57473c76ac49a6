"""The contract of partitions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from holdfast.component import Component
from holdfast.errors import InputError
from holdfast.partitions.shards import Parts
from holdfast.partitions.unbalanced import unbalanced
from holdfast.seeding import address, generator
from holdfast.types import IntArray

__all__ = ["Dealt", "Partition"]


class Partition(Component):
    """How the training samples are spread over the nodes."""

    family: ClassVar[str] = "partitions"
    disjoint: ClassVar[bool] = True
    """Whether every sample goes to exactly one node."""
    public: ClassVar[bool] = True
    """Whether every process knows who holds what."""
    pooled: ClassVar[bool] = False
    """Whether each node draws its samples from all, so that no sample is lost with a node."""

    @abstractmethod
    def split(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """The sample indices of each node.

        Args:
            targets: (S,) the classes of the training samples; in a regression, the quintile of each value; or what
                `keys` makes of them.
            nodes: how many nodes.
            seed: the experiment's seed.

        Returns:
            For each node its global sample indices; a sequence that may compute them when asked.

        Raises:
            InputError: a node would be left without a sample.
        """

    def keys(self, targets: IntArray, data_dir: Path | None) -> IntArray:
        """(S,) by what `split` tells the samples apart: their targets, unless the partition knows something else.

        Args:
            targets: (S,) as `split` takes them.
            data_dir: the folder of data sets that the user named, if any.

        Raises:
            InputError: what it knows the samples by is missing or damaged.
        """
        return targets

    def disturb(self, inputs: Tensor, parts: Sequence[IntArray], seed: int) -> Tensor:
        """(S, …) the training inputs as the nodes that hold them see them: as they are, unless the partition says so.

        Args:
            inputs: (S, …) the training inputs; they are not changed.
            parts: what `split` returned.
            seed: the experiment's seed.

        Raises:
            InputError: inputs of this kind cannot be disturbed.
        """
        return inputs

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


class Dealt(Partition):
    """A partition that deals every sample out once, and so can make the amounts unequal afterwards.

    A subclass has one method, `deal`. How `unbalanced` works is said in `holdfast.partitions.unbalanced`.
    """

    unbalanced: float = Field(
        0.0,
        ge=0,
        le=10,
        description="how unequal the nodes' amounts are made: σ of log-normal factors (no unit); 0 leaves them",
    )

    def split(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """The sample indices of each node."""
        parts = self.deal(targets, nodes, seed)
        return unbalanced(parts, targets, self.unbalanced, seed) if self.unbalanced else parts

    @abstractmethod
    def deal(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """The sample indices of each node, before `unbalanced`; arguments, result and errors are those of `split`."""
