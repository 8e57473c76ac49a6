import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.topologies import Complete, Cycle, ErdosRenyi, Exponential, Star, Topology


class Plain(Topology):
    """A topology of a user's own."""

    def graph(self, round, nodes, seed):
        return nx.star_graph(nodes - 1)


def weighed(graph, weighting):
    """The weights, edge by edge."""
    size = graph.number_of_nodes()
    largest = max(graph.degree(i) for i in range(size))
    W = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in graph.neighbors(i):
            mine, theirs = graph.degree(i), graph.degree(j)
            if weighting == "uniform":
                W[i][j] = 1 / (1 + mine)
            elif weighting == "max_degree":
                W[i][j] = 1 / (1 + largest)
            else:
                W[i][j] = 1 / (1 + max(mine, theirs)) * (0.5 if weighting == "lazy" else 1)
        W[i][i] = 1 - sum(W[i])
    return W


@pytest.mark.parametrize("weighting", ["metropolis", "lazy", "max_degree", "uniform"])
@given(nodes=st.integers(1, 12), p=st.floats(0.4, 1), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_weights_are_those_of_the_plain_loop(weighting, nodes, p, seed):
    topology = ErdosRenyi(p=p, attempts=1000, weighting=weighting)
    graph = topology.graph(0, nodes, seed)
    W = topology.weights(graph).toarray()
    np.testing.assert_allclose(W, weighed(graph, weighting), atol=1e-15)
    np.testing.assert_allclose(W.sum(axis=1), 1)
    assert (W >= 0).all()
    off = nx.to_numpy_array(graph, nodelist=range(nodes)) + np.eye(nodes) == 0
    assert (W[off] == 0).all()
    if weighting != "uniform":
        np.testing.assert_array_equal(W, W.T)
        np.testing.assert_allclose(W.sum(axis=0), 1)


def test_metropolis_weights_of_a_star_by_hand():
    W = Star().weights(Star().graph(0, 3, 0)).toarray()
    np.testing.assert_allclose(W, [[1 / 3, 1 / 3, 1 / 3], [1 / 3, 2 / 3, 0], [1 / 3, 0, 2 / 3]])


@pytest.mark.parametrize(
    ("weighting", "W"),
    [
        ("lazy", [[2 / 3, 1 / 6, 1 / 6], [1 / 6, 5 / 6, 0], [1 / 6, 0, 5 / 6]]),
        ("max_degree", [[1 / 3, 1 / 3, 1 / 3], [1 / 3, 2 / 3, 0], [1 / 3, 0, 2 / 3]]),
        ("uniform", [[1 / 3, 1 / 3, 1 / 3], [1 / 2, 1 / 2, 0], [1 / 2, 0, 1 / 2]]),
    ],
)
def test_the_other_weights_of_a_star_by_hand(weighting, W):
    np.testing.assert_allclose(Star(weighting=weighting).weights(nx.star_graph(2)).toarray(), W)


def test_lazy_weights_have_no_negative_eigenvalue():
    plain, lazy = (Cycle(weighting=w).weights(nx.cycle_graph(8)).toarray() for w in ("metropolis", "lazy"))
    assert np.linalg.eigvalsh(plain).min() < -0.3
    assert np.linalg.eigvalsh(lazy).min() > 0


def test_nodes_agree_on_the_mean_by_degrees_if_uniform():
    W = Star(weighting="uniform").weights(nx.star_graph(2)).toarray()
    np.testing.assert_allclose(np.linalg.matrix_power(W, 100), [[3 / 7, 2 / 7, 2 / 7]] * 3)


def test_a_topology_of_ones_own_gets_metropolis_weights_or_means_over_who_is_heard():
    np.testing.assert_allclose(Plain().weights(nx.star_graph(2)).toarray(), weighed(nx.star_graph(2), "metropolis"))
    two_to_one = Plain().weights(nx.DiGraph([(0, 2), (1, 2)])).toarray()
    np.testing.assert_allclose(two_to_one, [[1, 0, 0], [0, 1, 0], [1 / 3, 1 / 3, 1 / 3]])


def test_column_weights_by_hand():
    A = Exponential().column_weights(nx.DiGraph([(0, 1), (0, 2), (1, 2)])).toarray()
    np.testing.assert_allclose(A, [[1 / 3, 0, 0], [1 / 3, 1 / 2, 0], [1 / 3, 1 / 2, 1]])


@given(nodes=st.integers(1, 12), links=st.integers(0, 40), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_mixing_by_column_weights_keeps_the_sum_on_any_graph(nodes, links, seed):
    graph = nx.gnm_random_graph(nodes, links, seed=seed, directed=True)
    x = np.random.default_rng(seed).normal(size=(nodes, 3))
    mixed = Exponential().column_weights(graph) @ x
    np.testing.assert_allclose(mixed.sum(axis=0), x.sum(axis=0))
    for i in range(nodes):
        heard = x[i] / (1 + graph.out_degree(i))
        heard = heard + sum(x[j] / (1 + graph.out_degree(j)) for j in graph.predecessors(i))
        np.testing.assert_allclose(mixed[i], heard)


def test_the_order_in_which_a_graph_names_its_nodes_does_not_matter():
    graph = nx.Graph([(2, 0), (1, 2)])
    np.testing.assert_allclose(Star().weights(graph).toarray(), weighed(graph, "metropolis"))


@pytest.mark.parametrize("nodes", [1, 2, 9])
def test_mixing_over_the_complete_graph_is_the_mean(nodes):
    W = Complete().weights(Complete().graph(0, nodes, 0)).toarray()
    np.testing.assert_allclose(W, np.full((nodes, nodes), 1 / nodes))


def test_an_unknown_weighting_is_refused():
    with pytest.raises(InputError, match=r"weighting must be 'metropolis', 'lazy', 'max_degree' or 'uniform'"):
        Star(weighting="equal")
