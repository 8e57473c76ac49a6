import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.partitions import Quantity


@given(samples=st.integers(1, 100), data=st.data())
@settings(deadline=None)
def test_nobody_is_empty_and_nothing_is_lost(samples, data):
    parts = Quantity().split(np.zeros(samples, dtype=np.int64), data.draw(st.integers(1, samples)), seed=1)
    assert min(len(part) for part in parts) >= 1
    assert sorted(np.concatenate(list(parts))) == list(range(samples))


def test_every_cut_is_equally_likely():
    firsts = [len(Quantity().split(np.zeros(5, dtype=np.int64), 2, seed)[0]) for seed in range(2000)]
    shares = np.bincount(firsts, minlength=5)[1:] / 2000  # the one cut is 1, 2, 3 or 4
    assert np.allclose(shares, 0.25, atol=0.04)


def test_another_seed_deals_otherwise():
    one, other = (Quantity().split(np.zeros(100, dtype=np.int64), 4, seed) for seed in (1, 2))
    assert one.sizes.tolist() != other.sizes.tolist()


def test_more_nodes_than_samples_are_refused():
    with pytest.raises(InputError, match="5 nodes for 4 samples"):
        Quantity().split(np.zeros(4, dtype=np.int64), 5, seed=1)
