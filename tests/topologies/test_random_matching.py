from collections import Counter

import numpy as np
import pytest

from holdfast.topologies import RandomMatching


@pytest.mark.parametrize("nodes", [1, 2, 5, 8])
def test_everybody_has_one_partner_but_the_odd_one_out(nodes):
    for round in range(1, 6):
        degrees = Counter(degree for _, degree in RandomMatching().graph(round, nodes, 2).degree)
        assert degrees == Counter([1] * (nodes - nodes % 2) + [0] * (nodes % 2))


def test_the_two_of_a_pair_take_their_mean():
    W = RandomMatching().weights(RandomMatching().graph(1, 2, 0)).toarray()
    np.testing.assert_allclose(W, 0.5)


def test_all_pairings_come_about_equally_often():
    topology = RandomMatching()
    pairings = Counter(tuple(sorted(map(tuple, map(sorted, topology.graph(t, 4, 1).edges)))) for t in range(600))
    assert len(pairings) == 3
    assert all(abs(count - 200) < 60 for count in pairings.values())  # a deviation is 12
