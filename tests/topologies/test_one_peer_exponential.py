import numpy as np
import pytest

from holdfast.topologies import OnePeerExponential


def mixed(nodes, rounds):
    """The product of the rounds' weights."""
    topology, product = OnePeerExponential(), np.eye(nodes)
    for round in rounds:
        product = topology.weights(topology.graph(round, nodes, 0)).toarray() @ product
    return product


@pytest.mark.parametrize(("round", "hop"), [(0, 1), (1, 2), (2, 4), (3, 1), (7, 2)])
def test_everybody_sends_one_hop_further_in_turn(round, hop):
    graph = OnePeerExponential().graph(round, 6, 0)
    assert sorted(graph.edges) == sorted((i, (i + hop) % 6) for i in range(6))


def test_half_is_kept_and_half_is_heard():
    W = OnePeerExponential().weights(OnePeerExponential().graph(0, 3, 0)).toarray()
    np.testing.assert_allclose(W, [[0.5, 0, 0.5], [0.5, 0.5, 0], [0, 0.5, 0.5]])


@pytest.mark.parametrize("power", range(7))
def test_a_power_of_2_has_the_exact_mean_after_as_many_rounds_from_any_round_on(power):
    nodes = 2**power
    for first in range(1, power + 2):
        np.testing.assert_allclose(mixed(nodes, range(first, first + power)), 1 / nodes)
    if power:
        assert not np.allclose(mixed(nodes, range(1, power)), 1 / nodes)


def test_another_number_of_nodes_comes_near_only():
    assert not np.allclose(mixed(6, range(1, 4)), 1 / 6)
    np.testing.assert_allclose(mixed(6, range(1, 100)), 1 / 6)
