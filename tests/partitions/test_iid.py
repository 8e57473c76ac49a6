import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.partitions import Iid


def zeros(samples):
    return np.zeros(samples, dtype=np.int64)


@given(samples=st.integers(1, 300), data=st.data())
@settings(deadline=None)
def test_sizes_differ_by_one_at_most(samples, data):
    parts = Iid().split(zeros(samples), data.draw(st.integers(1, samples)), seed=1)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert sorted(np.concatenate(list(parts))) == list(range(samples))


def test_a_large_population_is_one_index_array():
    parts = Iid().split(zeros(400_000), 200_000, seed=1)
    assert len(parts) == 200_000
    assert len(parts[123_456]) == 2
    assert np.shares_memory(parts[0], parts[199_999].base)


def test_another_seed_deals_otherwise():
    one, other = (Iid().split(zeros(50), 2, seed) for seed in (1, 2))
    assert set(one[0]) != set(other[0])


def test_more_nodes_than_samples_are_refused():
    with pytest.raises(InputError, match="2 empty nodes of 5"):
        Iid().split(zeros(3), 5, seed=1)
