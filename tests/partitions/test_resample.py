import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.partitions import Resample


def zeros(samples):
    return np.zeros(samples, dtype=np.int64)


def test_a_population_costs_nothing_and_each_node_has_its_own_samples():
    parts = Resample(samples=10).split(zeros(60_000), 1_000_000, seed=1)
    assert len(parts) == len(parts.sizes) == 1_000_000
    assert len(set(parts[999_999])) == parts.sizes[999_999] == 10
    assert set(parts[0]) != set(parts[1])
    assert parts[5].tolist() == parts[5].tolist()


def test_a_nodes_samples_do_not_depend_on_how_many_nodes_there_are():
    few, many = (Resample(samples=10).split(zeros(100), nodes, seed=1) for nodes in (8, 1000))
    assert few[7].tolist() == many[7].tolist()


def test_every_sample_is_equally_likely():
    parts = Resample(samples=5).split(zeros(20), 2000, seed=1)
    shares = np.bincount(np.concatenate(list(parts)), minlength=20) / 2000
    assert np.allclose(shares, 0.25, atol=0.05)


def test_a_node_may_hold_everything_but_no_more():
    assert sorted(Resample(samples=6).split(zeros(6), 1, seed=1)[0]) == list(range(6))
    with pytest.raises(InputError, match=r"partition.samples must be at most the 6 training samples"):
        Resample(samples=7).split(zeros(6), 1, seed=1)


def test_another_seed_draws_otherwise():
    one, other = (Resample(samples=10).split(zeros(100), 2, seed) for seed in (1, 2))
    assert set(one[0]) != set(other[0])


def test_a_node_that_does_not_exist_is_an_index_error():
    with pytest.raises(IndexError):
        Resample(samples=1).split(zeros(6), 2, seed=1)[2]
