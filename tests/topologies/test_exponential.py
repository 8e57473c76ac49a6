import numpy as np
import pytest

from holdfast.topologies import Exponential
from holdfast.topologies.spectrum import spectral_gap


def test_four_nodes_by_hand():
    graph = Exponential().graph(0, 4, 0)
    assert sorted(graph.edges) == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 0), (2, 3), (3, 0), (3, 1)]
    third = 1 / 3
    W = [[third, 0, third, third], [third, third, 0, third], [third, third, third, 0], [0, third, third, third]]
    np.testing.assert_allclose(Exponential().weights(graph).toarray(), W)


@pytest.mark.parametrize("nodes", [1, 2, 3, 5, 6, 7, 8, 9, 33])
def test_every_node_sends_to_the_powers_of_2_further_on(nodes):
    hops = [2**k for k in range(10) if 2**k < nodes]
    expected = sorted((i, (i + hop) % nodes) for i in range(nodes) for hop in hops)
    assert sorted(Exponential().graph(0, nodes, 0).edges) == expected


@pytest.mark.parametrize(("nodes", "steps"), [(2, 1), (6, 3), (16, 4), (20, 5), (64, 6)])
def test_the_gap_over_an_even_number_of_nodes_is_2_over_one_more_than_the_hops(nodes, steps):
    W = Exponential().weights(Exponential().graph(0, nodes, 0))
    assert spectral_gap(W) == pytest.approx(2 / (steps + 1))
