"""Every node holds what its own process loads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from holdfast.partitions.base import Partition
from holdfast.types import IntArray

__all__ = ["OwnData"]


class OwnData(Partition):
    """Leaves every node all samples that its process loads: the files of a hospital, a phone or a robot.

    It is for runs over real processes, where each loads its own data. In a simulation, in which one process loads for
    all, every node holds all samples.

    Example:
        >>> parts = OwnData().split(np.zeros(4, dtype=np.int64), nodes=2, seed=1)
        >>> [part.tolist() for part in parts]
        [[0, 1, 2, 3], [0, 1, 2, 3]]
    """

    disjoint: ClassVar[bool] = False
    public: ClassVar[bool] = False

    def split(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """All samples, for each node."""
        return [np.arange(len(targets), dtype=np.int64)] * nodes
