import itertools
import math

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.partitions import Dirichlet


def counts(parts, targets):
    return np.array([np.bincount(targets[part], minlength=targets.max() + 1) for part in parts]).T


def test_shares_follow_the_proportions_drawn_against_a_plain_loop():
    targets = np.repeat(np.arange(3), [50, 71, 90])
    partition = Dirichlet(alpha=5.0)
    p_CN = partition.numbers(4, 0).dirichlet([5.0] * 6, size=3).tolist()
    expected = []
    for size, shares in zip([50, 71, 90], p_CN, strict=True):
        total, cuts = 0.0, [0]
        for share in shares[:-1]:
            total += share
            cuts.append(math.floor(total * size))
        cuts.append(size)
        expected.append([after - before for before, after in itertools.pairwise(cuts)])
    assert counts(partition.split(targets, 6, seed=4), targets).tolist() == expected


def splits(partition, targets, seed):
    try:
        return len(partition.split(targets, 8, seed)) == 8
    except InputError:
        return False


@pytest.mark.parametrize("alpha", [0.5, 5.0])
def test_shares_have_the_mean_and_variance_of_the_distribution(alpha):
    targets = np.repeat(np.arange(300), 200)
    shares = counts(Dirichlet(alpha=alpha).split(targets, 5, seed=2), targets) / 200
    assert np.allclose(shares.mean(axis=0), 0.2, atol=0.04)
    assert shares.var() == pytest.approx(0.2 * 0.8 / (5 * alpha + 1), rel=0.15)


def test_every_node_gets_its_least_number_of_samples():
    targets = np.repeat(np.arange(10), 40)
    for seed in range(10):
        partition = Dirichlet(alpha=0.3, min_samples=10, attempts=1000)
        assert min(len(part) for part in partition.split(targets, 10, seed)) >= 10


def test_proportions_are_drawn_anew_until_they_will_do():
    targets = np.repeat(np.arange(3), 40)
    one = Dirichlet(alpha=0.3, attempts=1)
    failed = [seed for seed in range(20) if not splits(one, targets, seed)]
    assert failed
    many = Dirichlet(alpha=0.3, attempts=1000)
    assert all(splits(many, targets, seed) for seed in failed)


@pytest.mark.parametrize("alpha", [1e-300, 1e-6, 1e6, 1e300])
def test_extreme_alphas_lose_no_sample(alpha):
    targets = np.repeat(np.arange(40), 20)
    parts = Dirichlet(alpha=alpha, attempts=1000).split(targets, 3, seed=1)
    assert sorted(np.concatenate(list(parts))) == list(range(800))


def test_another_seed_deals_otherwise():
    targets = np.repeat(np.arange(10), 40)
    one, other = (Dirichlet().split(targets, 3, seed) for seed in (1, 2))
    assert set(one[0]) != set(other[0])


def test_giving_up_names_alpha_and_the_nodes():
    with pytest.raises(InputError, match=r"alpha 0.01 over 30 nodes and 40 samples"):
        Dirichlet(alpha=0.01).split(np.repeat([0, 1], 20), 30, seed=1)


def test_too_few_samples_are_refused_at_once():
    with pytest.raises(InputError, match="at least 5 samples"):
        Dirichlet(min_samples=5, attempts=10**9).split(np.zeros(14, dtype=np.int64), 3, seed=1)


@pytest.mark.parametrize("wrong", [{"alpha": 0}, {"alpha": float("inf")}, {"min_samples": 0}, {"attempts": 0}])
def test_hyperparameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Dirichlet(**wrong)
