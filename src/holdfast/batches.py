"""Which samples a node's next batches hold: an endless stream addressed by (seed, node, epoch)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from holdfast.seeding import generators
from holdfast.types import IntArray

__all__ = ["BatchTable", "batch_table", "batches_per_epoch"]


@dataclass(frozen=True)
class BatchTable:
    """The batches of some rows, padded to rectangles.

    Args:
        samples: (C, T, B) positions in the node's own list of samples; padding repeats position 0.
        counts: (C, T) how many of the B are real; 0 where a row takes fewer than T steps.
    """

    samples: Tensor
    counts: Tensor


def batches_per_epoch(sizes_K: IntArray, batch_size: int | None) -> IntArray:
    """(K,) ⌈samples / batch size⌉; 1 where a batch holds everything.

    Example:
        >>> batches_per_epoch(np.array([10, 64]), 32).tolist()
        [1, 2]
    """
    return np.ones_like(sizes_K) if batch_size is None else -(-sizes_K // batch_size)


def _row(size: int, batch: int, first: int, steps: int, orders: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """(steps, batch) positions and (steps,) counts of one row, from the orders of its epochs."""
    per_epoch = -(-size // batch)
    padded = torch.zeros(len(orders), per_epoch * batch, dtype=torch.int64)
    for row, order in zip(padded, orders, strict=True):
        row[:size] = order
    counts = torch.full((per_epoch,), batch)
    counts[-1] = size - (per_epoch - 1) * batch
    start = first % per_epoch
    return padded.view(-1, batch)[start : start + steps], counts.repeat(len(orders))[start : start + steps]


def batch_table(
    seed: int,
    nodes_C: IntArray,
    sizes_C: IntArray,
    first_C: IntArray,
    steps_C: IntArray,
    batch_size: int | None,
) -> BatchTable:
    """The batches number ``first`` to ``first + steps - 1`` of each node's stream.

    Epoch e of node i goes through all its samples once, in an order addressed by (seed, i, e); its last batch may be
    short.

    Args:
        seed: the experiment's seed.
        nodes_C: the nodes.
        sizes_C: how many samples each has.
        first_C: the number of the first batch wanted, counted from the beginning of training.
        steps_C: how many batches are wanted, at least 1.
        batch_size: in samples; ``None`` takes all of a node's samples at once.

    Example:
        >>> table = batch_table(1, *(np.array([n]) for n in (0, 5, 0, 3)), batch_size=2)
        >>> table.counts.tolist(), sorted(table.samples.flatten()[:5].tolist())
        ([[2, 2, 1]], [0, 1, 2, 3, 4])
    """
    width = int(sizes_C.max()) if batch_size is None else min(batch_size, int(sizes_C.max()))
    per_epoch = batches_per_epoch(sizes_C, batch_size)
    epochs = first_C // per_epoch
    last = (first_C + steps_C - 1) // per_epoch
    table = BatchTable(
        torch.zeros(len(nodes_C), int(steps_C.max()), width, dtype=torch.int64),
        torch.zeros(len(nodes_C), int(steps_C.max()), dtype=torch.int64),
    )
    wanted_C = last - epochs + 1
    began_C = np.repeat(np.cumsum(wanted_C) - wanted_C, wanted_C)
    wanted = np.repeat(epochs, wanted_C) + np.arange(wanted_C.sum()) - began_C
    sources = iter(generators(seed, "batches", np.repeat(nodes_C, wanted_C), wanted))
    for row in range(len(nodes_C)):
        size, steps = int(sizes_C[row]), int(steps_C[row])
        orders = [torch.randperm(size, generator=next(sources)) for _ in range(epochs[row], last[row] + 1)]
        batch = size if batch_size is None else min(batch_size, width)
        samples, counts = _row(size, batch, int(first_C[row]), steps, orders)
        table.samples[row, :steps, : samples.shape[1]] = samples
        table.counts[row, :steps] = counts
    return table
