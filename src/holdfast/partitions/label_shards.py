"""A few classes a node."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from holdfast.errors import InputError
from holdfast.partitions.base import Dealt
from holdfast.partitions.shards import Shards
from holdfast.types import IntArray

__all__ = ["LabelShards"]


class LabelShards(Dealt):
    """Gives every node the samples of a few classes only, each class shared evenly by the nodes that hold it.

    With C classes among the samples and k classes a node, node i holds the classes (ik + j) mod C for
    j = 0, …, k - 1: with 10 nodes and one class each, node i holds class i. A class that does not occur is
    not counted.

    Raises:
        InputError: a node would hold more classes than there are, a class would be held by nobody, or a node
            would be left without a sample.

    Example:
        >>> targets = np.array([0, 1, 2, 0, 1, 2])
        >>> parts = LabelShards(classes_per_node=1).split(targets, nodes=3, seed=1)
        >>> [targets[part].tolist() for part in parts]
        [[0, 0], [1, 1], [2, 2]]

    Source: McMahan et al., "Communication-efficient learning of deep networks from decentralized data", 2017,
    section 3 (their pathological non-IID split, with whole classes in place of shards of sorted labels).
    """

    classes_per_node: int = Field(1, ge=1, description="how many classes each node holds, in classes")

    def deal(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """The sample indices of each node."""
        present, class_S = np.unique(targets, return_inverse=True)
        self._check(len(present), nodes)
        owner_S = np.empty(len(targets), dtype=np.int64)
        for label in range(len(present)):
            samples = self.shuffled(np.flatnonzero(class_S == label), seed, label)
            # The j-th class of node i is number ik + j, modulo C: so every C-th number is this class.
            holders = np.arange(label, nodes * self.classes_per_node, len(present)) // self.classes_per_node
            owner_S[samples] = holders[np.arange(len(samples)) * len(holders) // len(samples)]
        return self.refuse_empty(Shards.owned(owner_S, nodes))

    def _check(self, classes: int, nodes: int) -> None:
        if self.classes_per_node > classes:
            required = f"be at most the {classes} classes of the samples"
            raise InputError("partition.classes_per_node", required, self.classes_per_node, "Lower it.")
        if nodes * self.classes_per_node < classes:
            given = f"{nodes} nodes with {self.classes_per_node} each"
            remedy = f"Use at least {-(-classes // nodes)} classes a node, or more nodes."
            raise InputError("partition.classes_per_node", f"give each of {classes} classes to a node", given, remedy)
