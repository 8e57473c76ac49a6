from math import ceil, gcd, log2

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.seeding import uniform
from holdfast.topologies import Equitopo
from holdfast.topologies.spectrum import spectral_gap


def plain(nodes, basis, seed, directed):
    """The mean of the basis matrices, entry by entry."""
    attempt, hops = -1, [nodes]
    while gcd(nodes, *hops) != 1:
        attempt += 1
        hops = [1 + int(uniform(seed, "topology.equitopo", attempt, m) * (nodes - 1)) for m in range(basis)]
    W = np.zeros((nodes, nodes))
    for hop in hops:
        A = np.eye(nodes) / nodes
        for i in range(nodes):
            A[(i + hop) % nodes, i] += (nodes - 1) / nodes
        W += A / basis if directed else (A + A.T) / 2 / basis
    return W, attempt


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("nodes", [2, 3, 8, 12])
def test_weights_are_the_mean_of_the_basis_matrices(nodes, directed):
    attempts = []
    for seed in range(20):
        topology = Equitopo(basis=2, directed=directed)
        expected, attempt = plain(nodes, 2, seed, directed)
        np.testing.assert_allclose(topology.weights(topology.graph(0, nodes, seed)).toarray(), expected, atol=1e-15)
        attempts.append(attempt)
    assert max(attempts) > 0 or nodes < 8  # so drawing anew was put to the test


@pytest.mark.parametrize("nodes", [2, 3, 16, 17])
def test_left_out_there_are_as_many_hops_as_in_the_exponential_graph(nodes):
    assert len(Equitopo().hops(nodes, 1)) == ceil(log2(nodes))


def test_the_gap_does_not_shrink_with_the_nodes():
    gaps = [np.median([spectral_gap(W(nodes, seed)) for seed in range(9)]) for nodes in (32, 128, 256)]
    assert min(gaps) > 0.2


def W(nodes, seed):
    topology = Equitopo(directed=False)
    return topology.weights(topology.graph(0, nodes, seed))


def test_giving_up_names_the_basis_the_nodes_and_the_attempts():
    # The first hop over 4 nodes is 2 by one of the first seeds.
    seed = next(seed for seed in range(20) if int(uniform(seed, "topology.equitopo", 0, 0) * 3) == 1)
    with pytest.raises(InputError, match=r"1 hops over 4 nodes, 1 attempts"):
        Equitopo(basis=1, attempts=1).graph(0, 4, seed)
