from collections.abc import Sequence

import numpy as np
import pytest

from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError
from holdfast.partitions import Dealt, Partition

TARGETS = np.random.default_rng(0).integers(0, 3, 211)
# Whole groups cannot go to more nodes than there are groups.
GROUPS = np.random.default_rng(0).integers(0, 40, 211)


@pytest.fixture(params=catalogue("partitions").values(), ids=catalogue("partitions"))
def partition(request):
    return request.param()


@pytest.fixture
def targets(partition):
    return GROUPS if partition.component_name() == "by_column" else TARGETS


@pytest.fixture
def skewed(partition):
    """The same partition with amounts made unequal, or a skip where it cannot be."""
    if not isinstance(partition, Dealt):
        pytest.skip(f"{partition.component_name()} is not dealt out")
    return partition.model_copy(update={"unbalanced": 1.5})


@pytest.mark.parametrize("nodes", [3, 7, 12])
def test_every_node_holds_samples_that_exist_and_holds_none_twice(partition, targets, nodes):
    parts = partition.split(targets, nodes, seed=1)
    assert isinstance(parts, Sequence)
    assert len(parts) == nodes
    for part in parts:
        assert part.dtype == np.int64
        assert part.ndim == 1
        assert len(part) == len(set(part)) > 0
        assert part.min() >= 0
        assert part.max() < len(TARGETS)


@pytest.mark.parametrize("nodes", [3, 7, 12])
def test_disjoint_parts_lose_and_repeat_nothing(partition, targets, nodes):
    if not partition.disjoint:
        pytest.skip(f"{partition.component_name()} is not disjoint")
    held = np.concatenate(list(partition.split(targets, nodes, seed=1)))
    assert sorted(held) == list(range(len(TARGETS)))


def test_what_is_not_disjoint_says_so(partition, targets):
    held = np.concatenate(list(partition.split(targets, 7, seed=1)))
    assert partition.disjoint == (sorted(held) == list(range(len(targets))))


@pytest.mark.parametrize("nodes", [3, 7, 12])
def test_unbalanced_parts_lose_and_repeat_nothing(partition, skewed, nodes):
    even, parts = (each.split(TARGETS, nodes, seed=1) for each in (partition, skewed))
    assert min(len(part) for part in parts) > 0
    assert sorted(np.concatenate(list(parts))) == list(range(len(TARGETS)))
    assert [set(TARGETS[part]) for part in parts] == [set(TARGETS[part]) for part in even]


def test_unbalanced_changes_the_amounts(partition, skewed):
    even, parts = (each.split(TARGETS, 7, seed=1) for each in (partition, skewed))
    assert [len(part) for part in parts] != [len(part) for part in even]


def test_unbalanced_parts_are_a_function_of_the_seed(skewed):
    first, again, other = (skewed.split(TARGETS, 7, seed) for seed in (3, 3, 4))
    assert [part.tolist() for part in first] == [part.tolist() for part in again]
    assert [part.tolist() for part in first] != [part.tolist() for part in other]


def test_the_split_is_a_function_of_the_seed(partition, targets):
    first, again = (partition.split(targets, 7, seed=3) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))


def test_the_targets_are_left_as_they_are(partition, targets):
    before = targets.copy()
    partition.split(targets, 7, seed=3)
    assert (targets == before).all()


def test_more_nodes_than_samples_are_refused(partition, targets):
    if not partition.disjoint:
        pytest.skip(f"{partition.component_name()} is not disjoint")
    with pytest.raises(InputError):
        partition.split(targets, len(targets) + 1, seed=1)


def test_it_survives_an_experiment_file(partition):
    assert build(Partition, partition.as_mapping()) == partition


def test_it_describes_itself(partition):
    assert partition.summary().endswith(".")
    assert all(field.description for field in type(partition).model_fields.values())
