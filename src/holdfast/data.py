"""The samples that all nodes share one copy of, and who holds which of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from holdfast.types import IntArray

__all__ = ["Data", "PerSample"]

PerSample = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Data:
    """The samples, once, on the device, and who holds which of them.

    Args:
        train: inputs (S, …) and targets (S, …).
        test: the same of the test samples.
        shards: for each node its indices into the training samples.
        metrics: by name, one number a sample; ``loss`` among them.
        classes: how many classes there are; ``None`` in a regression.
        seed: the experiment's seed.
        window: ``f(samples, round)``: which of some training samples are at hand in a round; all without it.
    """

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    shards: Sequence[IntArray]
    metrics: Mapping[str, PerSample]
    classes: int | None
    seed: int
    window: Callable[[IntArray, int], IntArray] | None = None

    @property
    def sample_bytes(self) -> int:
        """The bytes of one sample's inputs."""
        inputs = self.train[0]
        return inputs[:1].numel() * inputs.element_size()

    def at_hand(self, samples: IntArray, round: int) -> IntArray:
        """Those of some training samples that are at hand in a round."""
        return samples if self.window is None else self.window(samples, round)

    def sizes(self, nodes: int) -> IntArray:
        """(nodes,) how many samples each of the first so many nodes has in round 1."""
        shards = (np.asarray(self.shards[node]) for node in range(nodes))
        return np.array([len(self.at_hand(shard, 1)) for shard in shards], dtype=np.int64)
