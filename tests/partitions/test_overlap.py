import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.partitions import Iid, Overlap


def zeros(samples):
    return np.zeros(samples, dtype=np.int64)


@given(samples=st.integers(1, 120), hundredths=st.integers(0, 300), data=st.data())
@settings(deadline=None)
def test_every_sample_is_held_and_nobody_holds_one_twice(samples, hundredths, data):
    nodes = data.draw(st.integers(1, samples))
    parts = Overlap(overlap=hundredths / 100).split(zeros(samples), nodes, seed=1)
    assert set(np.concatenate(list(parts))) == set(range(samples))
    extra = math.floor(Fraction(hundredths, 100) * samples / nodes)
    starts = [node * samples // nodes for node in range(nodes + 1)]
    for node, part in enumerate(parts):
        assert len(set(part)) == len(part) == min(samples, starts[node + 1] - starts[node] + extra)


def test_chunks_of_a_whole_size_are_the_published_ones():
    order = np.concatenate(list(Iid().split(zeros(50), 5, seed=3))).tolist()
    parts = Overlap(overlap=0.25).split(zeros(50), 5, seed=3)
    for node, part in enumerate(parts):
        assert part.tolist() == [order[s % 50] for s in range(node * 10, node * 10 + math.floor(1.25 * 10))]


def test_without_overlap_it_is_iid():
    parts, iid = Overlap(overlap=0).split(zeros(17), 4, seed=1), Iid().split(zeros(17), 4, seed=1)
    assert all((a == b).all() for a, b in zip(parts, iid, strict=True))


def test_a_boundless_overlap_gives_everybody_everything():
    parts = Overlap(overlap=1e300).split(zeros(9), 3, seed=1)
    assert [sorted(part) for part in parts] == [list(range(9))] * 3


def test_another_seed_deals_otherwise():
    one, other = (Overlap().split(zeros(50), 2, seed) for seed in (1, 2))
    assert set(one[0]) != set(other[0])


def test_more_nodes_than_samples_and_a_negative_overlap_are_refused():
    with pytest.raises(InputError, match="empty nodes"):
        Overlap(overlap=2).split(zeros(3), 5, seed=1)
    with pytest.raises(InputError, match="overlap"):
        Overlap(overlap=-0.1)
