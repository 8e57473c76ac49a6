from math import log

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.topologies import BaseK

UP_TO = {1: 70, 2: 60, 3: 50, 4: 50, 5: 50, 7: 50}


def rounds(nodes, k):
    topology = BaseK(k=k)
    return [topology.graph(round, nodes, 0) for round in range(1, topology.period(nodes) + 1)]


def product(graphs, nodes, k):
    x = np.eye(nodes)
    for graph in graphs:
        x = BaseK(k=k).weights(graph).toarray() @ x
    return x


@pytest.mark.parametrize("k", UP_TO)
def test_all_nodes_hold_the_exact_mean_after_a_period_whatever_their_number(k):
    for nodes in range(1, UP_TO[k]):
        graphs = rounds(nodes, k)
        np.testing.assert_allclose(product(graphs, nodes, k), 1 / nodes, atol=1e-14)
        assert len(graphs) <= 2 * log(nodes, k + 1) + 2
        assert all(degree <= k for graph in graphs for _, degree in graph.degree)


def test_1000_nodes_have_the_exact_mean():
    graphs = rounds(1000, 1)
    x = np.random.default_rng(0).normal(size=1000)
    mean = x.mean()
    for graph in graphs:
        x = BaseK().weights(graph) @ x
    np.testing.assert_allclose(x, mean, atol=1e-14)


def test_three_nodes_by_hand():
    # Nodes 0 and 1 take their mean, node 2 trades two thirds with node 0, nodes 0 and 1 take their mean.
    found = [sorted(graph.edges(data="weight")) for graph in rounds(3, 1)]
    assert found == [[(0, 1, 0.5)], [(0, 2, pytest.approx(2 / 3))], [(0, 1, 0.5)]]


def test_five_nodes_by_hand_where_idle_nodes_take_means():
    found = [sorted(graph.edges(data="weight")) for graph in rounds(5, 1)]
    pairs, crossed = [(0, 1, 0.5), (2, 3, 0.5)], [(0, 2, 0.5), (1, 3, 0.5)]
    assert found == [pairs, crossed, [(0, 4, 0.8), (1, 2, 0.5)], crossed, pairs]


def test_two_neighbours_over_7_nodes_trade_with_both_parts_of_the_larger_group():
    # 7 = 2 · 3 + 1: node 6 trades with one node of each part of three.
    trade = rounds(7, 2)[2]
    assert sorted(trade.edges(6, data="weight")) == [(6, 0, pytest.approx(3 / 7)), (6, 3, pytest.approx(3 / 7))]


@pytest.mark.parametrize(("nodes", "k", "period"), [(1, 1, 0), (2, 1, 1), (8, 1, 3), (6, 1, 4), (6, 2, 2), (12, 3, 2)])
def test_periods(nodes, k, period):
    # 6 by twos: three rounds for each 3 and one for the 2, against five for 4 + 2.
    assert BaseK(k=k).period(nodes) == period


def test_the_turns_come_again():
    one, again = (BaseK().graph(round, 5, 0) for round in (2, 7))
    assert sorted(one.edges(data="weight")) == sorted(again.edges(data="weight"))


def test_k_of_0_is_refused():
    with pytest.raises(InputError, match="k must be greater than or equal to 1"):
        BaseK(k=0)
