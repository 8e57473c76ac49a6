from collections.abc import Sequence

import numpy as np
import pytest

from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError
from holdfast.partitions import Partition

TARGETS = np.random.default_rng(0).integers(0, 3, 211)


@pytest.fixture(params=catalogue("partitions").values(), ids=catalogue("partitions"))
def partition(request):
    return request.param()


@pytest.mark.parametrize("nodes", [3, 7, 12])
def test_every_node_holds_samples_that_exist_and_holds_none_twice(partition, nodes):
    parts = partition.split(TARGETS, nodes, seed=1)
    assert isinstance(parts, Sequence)
    assert len(parts) == nodes
    for part in parts:
        assert part.dtype == np.int64
        assert part.ndim == 1
        assert len(part) == len(set(part)) > 0
        assert part.min() >= 0
        assert part.max() < len(TARGETS)


@pytest.mark.parametrize("nodes", [3, 7, 12])
def test_disjoint_parts_lose_and_repeat_nothing(partition, nodes):
    if not partition.disjoint:
        pytest.skip(f"{partition.component_name()} is not disjoint")
    held = np.concatenate(list(partition.split(TARGETS, nodes, seed=1)))
    assert sorted(held) == list(range(len(TARGETS)))


def test_the_split_is_a_function_of_the_seed(partition):
    first, again = (partition.split(TARGETS, 7, seed=3) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))


def test_the_targets_are_left_as_they_are(partition):
    targets = TARGETS.copy()
    partition.split(targets, 7, seed=3)
    assert (targets == TARGETS).all()


def test_more_nodes_than_samples_are_refused(partition):
    if not partition.disjoint:
        pytest.skip(f"{partition.component_name()} is not disjoint")
    with pytest.raises(InputError):
        partition.split(TARGETS, len(TARGETS) + 1, seed=1)


def test_it_survives_an_experiment_file(partition):
    assert build(Partition, partition.as_mapping()) == partition


def test_it_describes_itself(partition):
    assert partition.summary().endswith(".")
    assert all(field.description for field in type(partition).model_fields.values())
