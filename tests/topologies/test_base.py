import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.topologies import Complete, ErdosRenyi, Star


def metropolis(graph):
    """The weights, edge by edge."""
    size = graph.number_of_nodes()
    W = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in graph.neighbors(i):
            W[i][j] = 1 / (1 + max(graph.degree(i), graph.degree(j)))
        W[i][i] = 1 - sum(W[i])
    return W


@given(nodes=st.integers(1, 12), p=st.floats(0.4, 1), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_metropolis_weights_are_those_of_the_plain_loop(nodes, p, seed):
    topology = ErdosRenyi(p=p, attempts=1000)
    graph = topology.graph(0, nodes, seed)
    W = topology.weights(graph).toarray()
    np.testing.assert_allclose(W, metropolis(graph), atol=1e-15)
    np.testing.assert_array_equal(W, W.T)
    np.testing.assert_allclose(W.sum(axis=0), 1)
    assert (W >= 0).all()
    off = nx.to_numpy_array(graph, nodelist=range(nodes)) + np.eye(nodes) == 0
    assert (W[off] == 0).all()


def test_metropolis_weights_of_a_star_by_hand():
    W = Star().weights(Star().graph(0, 3, 0)).toarray()
    np.testing.assert_allclose(W, [[1 / 3, 1 / 3, 1 / 3], [1 / 3, 2 / 3, 0], [1 / 3, 0, 2 / 3]])


def test_the_order_in_which_a_graph_names_its_nodes_does_not_matter():
    graph = nx.Graph([(2, 0), (1, 2)])
    np.testing.assert_allclose(Star().weights(graph).toarray(), metropolis(graph))


@pytest.mark.parametrize("nodes", [1, 2, 9])
def test_mixing_over_the_complete_graph_is_the_mean(nodes):
    W = Complete().weights(Complete().graph(0, nodes, 0)).toarray()
    np.testing.assert_allclose(W, np.full((nodes, nodes), 1 / nodes))
