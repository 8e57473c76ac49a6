"""The stream of a node's batches."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.batches import BatchTable, batch_table, batches_per_epoch
from holdfast.seeding import generator

from .contract import PROPERTY

SEED = 4


def stream(node: int, size: int, batch_size: int | None, batches: int) -> list[list[int]]:
    """The first batches of a node's stream, one sample after another."""
    found: list[list[int]] = []
    epoch = 0
    while len(found) < batches:
        current: list[int] = []
        for sample in torch.randperm(size, generator=generator(SEED, "batches", node, epoch)).tolist():
            current.append(sample)
            if len(current) == batch_size:
                found.append(current)
                current = []
        if current:
            found.append(current)
        epoch += 1
    return found[:batches]


def table_of(
    sizes: list[int], firsts: list[int], steps: list[int], batch_size: int | None, nodes: list[int] | None = None
) -> BatchTable:
    nodes = list(range(len(sizes))) if nodes is None else nodes
    return batch_table(SEED, *(np.array(n, dtype=np.int64) for n in (nodes, sizes, firsts, steps)), batch_size)


def unpadded(table: BatchTable, row: int) -> list[list[int]]:
    pairs = zip(table.samples[row].tolist(), table.counts[row].tolist(), strict=True)
    return [samples[:count] for samples, count in pairs if count]


@PROPERTY
@given(
    rows=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 12), st.integers(1, 9)), min_size=1, max_size=4),
    batch_size=st.one_of(st.none(), st.integers(1, 11)),
)
def test_it_is_a_cut_of_the_stream(rows: list[tuple[int, int, int]], batch_size: int | None) -> None:
    sizes, firsts, steps = (list(column) for column in zip(*rows, strict=True))
    table = table_of(sizes, firsts, steps, batch_size)
    widest = max(sizes) if batch_size is None else min(batch_size, max(sizes))
    assert table.samples.shape == (len(rows), max(steps), widest)
    assert table.counts.shape == (len(rows), max(steps))
    for row, (size, first, wanted) in enumerate(rows):
        assert unpadded(table, row) == stream(row, size, batch_size, first + wanted)[first:]
        assert (table.counts[row] > 0).sum() == wanted


@pytest.mark.parametrize(("batch_size", "counts"), [(3, [3, 3, 1]), (7, [7]), (9, [7]), (1, [1] * 7), (None, [7])])
def test_an_epoch_goes_through_everything_once(batch_size: int | None, counts: list[int]) -> None:
    table = table_of([7], [0], [len(counts)], batch_size)
    assert table.counts.tolist() == [counts]
    assert sorted(chain(*unpadded(table, 0))) == list(range(7))


def test_padding_repeats_the_first_sample() -> None:
    table = table_of([3, 5], [0, 0], [1, 1], None)
    assert table.samples[0, 0, 3:].tolist() == [0, 0]


def test_rounds_continue_where_the_last_one_ended() -> None:
    whole = unpadded(table_of([10], [0], [12], 3), 0)
    parts = [unpadded(table_of([10], [first], [4], 3), 0) for first in (0, 4, 8)]
    assert list(chain(*parts)) == whole
    assert whole[:4] != whole[4:8]  # each epoch in an order of its own


def test_a_node_is_given_the_same_whomever_it_stands_with() -> None:
    together = table_of([4, 9, 2], [1, 2, 0], [3, 5, 1], 3, nodes=[6, 8, 7])
    alone = table_of([9], [2], [5], 3, nodes=[8])
    assert unpadded(together, 1) == unpadded(alone, 0)


def test_nodes_and_seeds_have_orders_of_their_own() -> None:
    table = table_of([20, 20], [0, 0], [1, 1], None)
    assert table.samples[0].tolist() != table.samples[1].tolist()
    one = np.array([1])
    other = batch_table(SEED + 1, one * 0, one * 20, one * 0, one, None)
    assert other.samples[0].tolist() != table.samples[0].tolist()


def test_batches_per_epoch() -> None:
    sizes = np.array([1, 31, 32, 33, 64])
    assert batches_per_epoch(sizes, 32).tolist() == [1, 1, 1, 2, 2]
    assert batches_per_epoch(sizes, None).tolist() == [1] * 5
