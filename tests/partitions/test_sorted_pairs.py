import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.partitions import SortedPairs
from holdfast.partitions.sorted_pairs import _partners
from tests.contract import PROPERTY


def test_ten_nodes_hold_half_of_two_classes_that_are_five_apart():
    targets = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 40))
    for node, part in enumerate(SortedPairs().split(targets, 10, seed=1)):
        expected = np.zeros(10, dtype=int)
        expected[[node, (node + 5) % 10]] = 20
        assert np.bincount(targets[part], minlength=10).tolist() == expected.tolist()


@given(
    targets=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    swap=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    data=st.data(),
)
@PROPERTY
def test_against_a_plain_swap(targets, swap, data):
    targets, nodes = np.array(targets), data.draw(st.integers(1, len(targets)))
    parts = SortedPairs(swap=swap).split(targets, nodes, seed=1)
    assert sorted(np.concatenate(list(parts))) == list(range(len(targets)))
    chunks = SortedPairs(swap=0.0).split(targets, nodes, seed=1)
    for node, partner in enumerate(_partners(nodes).tolist()):
        own, other = set(chunks[node].tolist()), set(chunks[partner].tolist())
        wanted = round(swap * min(len(own), len(other))) if node != partner else 0
        assert len(set(parts[node].tolist()) - own) == wanted
        assert len(parts[node]) == len(own)
        assert set(parts[node].tolist()) <= own | other


def test_without_a_swap_chunks_are_sorted_by_class():
    targets = np.random.default_rng(0).integers(0, 3, 100)
    held = [targets[part] for part in SortedPairs(swap=0).split(targets, 7, seed=1)]
    assert np.concatenate([np.sort(part) for part in held]).tolist() == sorted(targets.tolist())


def test_what_is_swapped_is_drawn_from_the_whole_chunk():
    targets = np.repeat(np.arange(4), 250)  # node 0 holds classes 0 and 1
    part = SortedPairs(swap=0.5).split(targets, 2, seed=1)[0]
    assert np.bincount(targets[part]).tolist() == pytest.approx([125] * 4, abs=30)


def test_partners_are_mutual_and_far_apart():
    for nodes in range(1, 12):
        partner = _partners(nodes)
        assert (partner[partner] == np.arange(nodes)).all()
        assert (partner == np.arange(nodes)).sum() == nodes % 2
        assert set(np.abs(partner - np.arange(nodes)).tolist()) <= {0, nodes - nodes // 2}


def test_another_seed_deals_otherwise():
    targets = np.repeat(np.arange(2), 50)
    one, other = (SortedPairs().split(targets, 4, seed) for seed in (1, 2))
    assert set(one[0]) != set(other[0])


def test_more_nodes_than_samples_are_refused():
    with pytest.raises(InputError, match="empty nodes"):
        SortedPairs().split(np.zeros(3, dtype=np.int64), 4, seed=1)


def test_a_swap_beyond_the_whole_chunk_is_refused():
    with pytest.raises(InputError, match="swap"):
        SortedPairs(swap=1.1)
