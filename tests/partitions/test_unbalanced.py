import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError
from holdfast.partitions import Dealt, Iid, LabelShards, Partition
from holdfast.partitions.unbalanced import _shared, unbalanced
from tests.contract import PROPERTY


def counts(parts, targets, classes):
    return np.array([np.bincount(targets[part], minlength=classes) for part in parts])


def plainly_shared(held, weight, class_of):
    """One each, and of a class's rest what the running sum of the weights says, a cell at a time."""
    given = []
    for label in dict.fromkeys(class_of):
        cells = [cell for cell, other in enumerate(class_of) if other == label]
        total, rest = sum(weight[cell] for cell in cells), sum(held[cell] - 1 for cell in cells)
        before, running = 0, 0.0
        for cell in cells:
            running += weight[cell]
            upto = round(rest * running / total)
            given.append(1 + upto - before)
            before = upto
    return given


def test_a_share_computed_by_hand():
    # class 0: 10 samples, 2 holders, rest 8, weights 1 : 3; class 1: its one holder keeps all 4
    held, weight, class_of = np.array([5, 5, 4]), np.array([1.0, 3.0, 0.5]), np.array([0, 0, 1])
    assert _shared(held, weight, class_of).tolist() == [1 + 2, 1 + 6, 4]


@given(st.lists(st.lists(st.tuples(st.integers(1, 30), st.floats(0.01, 100)), min_size=1, max_size=6), min_size=1))
@PROPERTY
def test_shares_against_a_plain_loop(classes):
    held, weight = (np.array([cell[i] for cells in classes for cell in cells]) for i in (0, 1))
    class_of = np.repeat(np.arange(len(classes)), [len(cells) for cells in classes])
    found, expected = _shared(held, weight, class_of), np.array(plainly_shared(held, weight, class_of.tolist()))
    assert np.abs(found - expected).max() <= 1  # a tie may round to either side
    totals = [np.bincount(class_of, weights=shares) for shares in (found, held)]
    assert (totals[0] == totals[1]).all()
    assert found.min() >= 1


@given(
    targets=st.lists(st.integers(0, 4), min_size=1, max_size=80),
    sigma=st.sampled_from([0.1, 1.0, 10.0]),
    seed=st.integers(0, 5),
    data=st.data(),
)
@PROPERTY
def test_nothing_is_lost_and_who_holds_which_classes_stays(targets, sigma, seed, data):
    targets = np.array(targets)
    before = Iid().split(targets, data.draw(st.integers(1, len(targets))), seed)
    after = unbalanced(before, targets, sigma, seed)
    assert sorted(np.concatenate(list(after))) == list(range(len(targets)))
    held = [counts(parts, targets, 5) for parts in (before, after)]
    assert ((held[0] > 0) == (held[1] > 0)).all()


def test_amounts_are_log_normal_and_class_shares_stay():
    targets = np.arange(60_000) % 10
    parts = Iid(unbalanced=1.0).split(targets, 100, seed=1)
    logs = np.log(parts.sizes / np.median(parts.sizes))
    assert 0.8 < logs.std() < 1.2
    before, after = (counts(each, targets, 10) for each in (Iid().split(targets, 100, seed=1), parts))
    large = parts.sizes > 500
    shares = [held[large] / held[large].sum(1, keepdims=True) for held in (before, after)]
    assert np.allclose(*shares, atol=0.02)


def test_the_samples_of_a_class_are_dealt_out_by_chance():
    targets = np.zeros(1000, dtype=np.int64)
    part = Iid(unbalanced=1.0).split(targets, 2, seed=1)[0]
    assert abs(np.mean(part) - 500) < 60


def test_none_leaves_everything_as_it_was():
    targets = np.arange(100) % 3
    plain, zero = LabelShards().deal(targets, 7, 1), LabelShards(unbalanced=0).split(targets, 7, 1)
    assert [part.tolist() for part in plain] == [part.tolist() for part in zero]


def test_more_is_more_unequal():
    targets = np.zeros(10_000, dtype=np.int64)
    spread = [Iid(unbalanced=sigma).split(targets, 20, seed=3).sizes.std() for sigma in (0.0, 0.3, 1.0, 3.0)]
    assert spread == sorted(set(spread))


def test_a_node_with_few_samples_keeps_them():
    targets = np.arange(12) % 4  # three nodes with one sample of each class: there is nothing to deal
    parts = LabelShards(classes_per_node=4, unbalanced=5.0).split(targets, 3, seed=1)
    assert (counts(parts, targets, 4) == 1).all()


@pytest.mark.parametrize("name", [name for name, cls in catalogue("partitions").items() if not issubclass(cls, Dealt)])
def test_a_partition_that_cannot_be_unbalanced_refuses_it(name):
    with pytest.raises(InputError, match="unbalanced must be a known key"):
        build(Partition, {"name": name, "unbalanced": 1.0})


@pytest.mark.parametrize("sigma", [-0.1, 11, "much"])
def test_a_spread_out_of_bounds_is_refused(sigma):
    with pytest.raises(InputError, match="unbalanced"):
        Iid(unbalanced=sigma)
