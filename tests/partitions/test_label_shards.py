import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.partitions import LabelShards


def balanced(classes, each):
    return np.tile(np.arange(classes), each)


def test_with_ten_nodes_and_one_class_node_i_holds_class_i():
    targets = np.random.default_rng(0).integers(0, 10, 300)
    for node, part in enumerate(LabelShards().split(targets, 10, seed=1)):
        assert sorted(part) == np.flatnonzero(targets == node).tolist()


@given(classes=st.integers(1, 7), nodes=st.integers(1, 15), k=st.integers(1, 7))
@settings(deadline=None)
def test_each_class_is_shared_evenly_by_its_holders(classes, nodes, k):
    assume(k <= classes <= nodes * k)
    targets = balanced(classes, each=31)
    parts = LabelShards(classes_per_node=k).split(targets, nodes, seed=1)
    held = [{(i * k + j) % classes for j in range(k)} for i in range(nodes)]
    assert [set(targets[part].tolist()) for part in parts] == held
    for label in range(classes):
        sizes = [int((targets[parts[i]] == label).sum()) for i in range(nodes) if label in held[i]]
        assert sum(sizes) == 31
        assert max(sizes) - min(sizes) <= 1


def test_a_class_that_does_not_occur_is_not_counted():
    targets = np.array([0, 0, 5, 5, 9, 9])
    parts = LabelShards().split(targets, 3, seed=1)
    assert [targets[part].tolist() for part in parts] == [[0, 0], [5, 5], [9, 9]]


def test_another_seed_deals_otherwise():
    one, other = (LabelShards().split(balanced(2, 50), 4, seed) for seed in (1, 2))
    assert set(one[0]) != set(other[0])


def test_a_class_that_nobody_would_hold_is_refused():
    with pytest.raises(InputError, match=r"each of 10 classes .* '3 nodes with 2 each' .* at least 4 classes"):
        LabelShards(classes_per_node=2).split(balanced(10, 5), 3, seed=1)


def test_more_classes_a_node_than_there_are_are_refused():
    with pytest.raises(InputError, match="at most the 3 classes"):
        LabelShards(classes_per_node=4).split(balanced(3, 5), 3, seed=1)


def test_a_class_too_small_for_its_holders_is_refused():
    with pytest.raises(InputError, match="empty nodes"):
        LabelShards().split(np.array([0] * 10 + [1]), 4, seed=1)
