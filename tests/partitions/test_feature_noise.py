import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.partitions import FeatureNoise, Iid
from tests.tiny import Blobs, prepare


def zeros(samples):
    return np.zeros(samples, dtype=np.int64)


def test_labels_are_dealt_out_as_iid_does():
    noisy, plain = (partition.split(zeros(50), 4, seed=1) for partition in (FeatureNoise(), Iid()))
    assert [part.tolist() for part in noisy] == [part.tolist() for part in plain]


@pytest.mark.parametrize("shape", [(300,), (3, 10, 10)])
def test_noise_grows_evenly_from_none_to_sigma(shape):
    partition = FeatureNoise(sigma=0.6)
    parts = partition.split(zeros(120), 4, seed=1)
    inputs = torch.full((120, *shape), 5.0)
    seen = partition.disturb(inputs, parts, seed=1)
    assert torch.equal(inputs, torch.full((120, *shape), 5.0)), "the given inputs were changed"
    assert torch.equal(seen[parts[0]], inputs[parts[0]])
    noise = [seen[part] - 5 for part in parts]
    assert [float(part.std()) for part in noise[1:]] == pytest.approx([0.2, 0.4, 0.6], rel=0.05)
    assert [float(part.mean()) for part in noise] == pytest.approx([0] * 4, abs=0.03)


def test_a_samples_noise_is_its_own_whoever_holds_it():
    inputs, one, other = torch.zeros(2500, 3), [np.arange(1000), np.arange(1000, 2500)], [np.arange(500)]
    other = [*other, np.arange(500, 2500)]
    first, second = (FeatureNoise(sigma=1.0).disturb(inputs, parts, seed=1) for parts in (one, other))
    assert torch.equal(first[1000:], second[1000:])
    assert len(first[1000:].unique()) > 4000, "noise was repeated"
    assert not torch.equal(first, FeatureNoise(sigma=1.0).disturb(inputs, one, seed=2))


def test_a_single_node_has_no_noise():
    inputs = torch.ones(5, 2)
    assert torch.equal(FeatureNoise(sigma=1.0).disturb(inputs, [np.arange(5)], seed=1), inputs)


def test_other_partitions_hand_the_inputs_on():
    inputs = torch.ones(5, 2)
    assert Iid().disturb(inputs, [np.arange(5)], seed=1) is inputs


def test_inputs_that_are_no_real_numbers_are_refused():
    with pytest.raises(InputError, match=r"real numbers for feature_noise, but torch.int64"):
        FeatureNoise().disturb(torch.ones(5, 2, dtype=torch.int64), [np.arange(5)], seed=1)


def test_an_experiment_trains_on_what_the_nodes_see_and_tests_on_what_is():
    fields = {"algorithm": "fedavg", "problem": Blobs(), "nodes": 3, "engine": "sequential"}
    plain, noisy = (
        prepare(**fields, partition=partition).data for partition in ("iid", {"name": "feature_noise", "sigma": 2.0})
    )
    assert torch.equal(noisy.test[0], plain.test[0])
    changed = [not torch.equal(noisy.train[0][part], plain.train[0][part]) for part in plain.shards]
    assert changed == [False, True, True]
    assert torch.equal(noisy.train[1], plain.train[1])
