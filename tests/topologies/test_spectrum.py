import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from holdfast.topologies import Complete, Cycle, ErdosRenyi, Exponential, OnePeerExponential, RandomMatching, Star
from holdfast.topologies.spectrum import algebraic_connectivity, connected, spectral_gap, union


def gap(topology, nodes):
    return spectral_gap(topology.weights(topology.graph(1, nodes, 1)))


def plain_gap(W):
    """1 less the second largest modulus among all eigenvalues."""
    return 1 - sorted(abs(np.linalg.eigvals(W)))[-2]


@pytest.mark.parametrize(("nodes", "ring", "exponential"), [(16, 0.051, 0.40), (64, 0.0032, 0.29), (1024, 1e-5, 0.18)])
def test_published_gaps_of_the_ring_by_metropolis_weights_and_of_the_static_exponential_graph(nodes, ring, exponential):
    assert gap(Cycle(), nodes) == pytest.approx(2 / 3 * (1 - np.cos(2 * np.pi / nodes)), rel=1e-6)
    assert float(f"{gap(Cycle(), nodes):.{1 if nodes == 1024 else 2}g}") == pytest.approx(ring)
    assert round(gap(Exponential(), nodes), 2) == exponential


@given(nodes=st.integers(2, 12), p=st.floats(0.4, 1), seed=st.integers(0, 1000), uniform=st.booleans())
@settings(max_examples=50, deadline=None)
def test_gaps_are_those_of_all_eigenvalues(nodes, p, seed, uniform):
    topology = ErdosRenyi(p=p, attempts=1000, weighting="uniform" if uniform else "metropolis")
    W = topology.weights(topology.graph(1, nodes, seed))
    assert spectral_gap(W) == pytest.approx(plain_gap(W.toarray()), abs=1e-6)


@pytest.mark.parametrize("nodes", [3, 4, 9, 30])
def test_gaps_of_directed_graphs_are_those_of_all_eigenvalues(nodes):
    W = Exponential().weights(Exponential().graph(1, nodes, 1))
    assert spectral_gap(W) == pytest.approx(plain_gap(W.toarray()), abs=1e-7)


def test_a_gap_by_hand():
    # The eigenvalues are 1, 2/3 and 0.
    assert gap(Star(), 3) == pytest.approx(1 / 3)


def test_the_gap_is_1_when_one_mixing_is_the_mean_and_0_when_some_never_hear_of_others():
    assert gap(Complete(), 6) == pytest.approx(1)
    assert gap(RandomMatching(), 6) == 0
    assert spectral_gap(sparse.csr_array(np.array([[1.0, 0.0], [0.5, 0.5]]))) == 0


def test_two_nodes_that_swap_have_no_gap():
    assert spectral_gap(sparse.csr_array(np.array([[0.0, 1.0], [1.0, 0.0]]))) == pytest.approx(0)


def test_a_single_node_agrees_with_itself():
    assert gap(Cycle(), 1) == pytest.approx(1)


@pytest.mark.parametrize("nodes", [2, 5, 10, 299, 301, 1000])
def test_algebraic_connectivity_of_paths_cycles_and_stars(nodes):
    path = 2 - 2 * np.cos(np.pi / nodes)
    assert algebraic_connectivity(nx.path_graph(nodes)) == pytest.approx(path, rel=1e-5, abs=1e-10)
    if nodes > 2:
        cycle = 2 - 2 * np.cos(2 * np.pi / nodes)
        assert algebraic_connectivity(nx.cycle_graph(nodes)) == pytest.approx(cycle, rel=1e-5, abs=1e-10)
        assert algebraic_connectivity(nx.star_graph(nodes - 1)) == pytest.approx(1)


def test_the_fiedler_values_of_the_dinno_experiments():
    assert algebraic_connectivity(nx.complete_graph(10)) == pytest.approx(10)
    assert round(algebraic_connectivity(nx.cycle_graph(10)), 1) == 0.4


@given(nodes=st.integers(2, 12), p=st.floats(0, 1), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_algebraic_connectivity_is_the_second_eigenvalue_and_positive_if_connected(nodes, p, seed):
    graph = nx.gnp_random_graph(nodes, p, seed=seed)
    A = nx.to_numpy_array(graph)
    found = algebraic_connectivity(graph)
    assert found == pytest.approx(np.linalg.eigvalsh(np.diag(A.sum(axis=0)) - A)[1], abs=1e-9)
    assert (found > 1e-6) == nx.is_connected(graph)


def test_weights_and_directions_do_not_change_the_algebraic_connectivity():
    graph = nx.DiGraph([(0, 1, {"weight": 9.0}), (1, 0, {"weight": 9.0}), (1, 2, {"weight": 9.0})])
    assert algebraic_connectivity(graph) == pytest.approx(1)


def test_one_node_or_two_parts_have_no_algebraic_connectivity():
    assert algebraic_connectivity(nx.empty_graph(1)) == 0
    assert algebraic_connectivity(nx.empty_graph(2)) == 0


def test_connected_is_by_directions_where_there_are_some():
    assert connected(nx.path_graph(3))
    assert not connected(nx.empty_graph(2))
    assert not connected(nx.DiGraph([(0, 1), (1, 2)]))
    assert connected(nx.DiGraph([(0, 1), (1, 2), (2, 0)]))


def test_a_union_has_the_links_of_all_its_rounds():
    turns = OnePeerExponential()
    assert sorted(union(turns, [1, 2], 4, 0).edges) == sorted(
        set(turns.graph(1, 4, 0).edges) | set(turns.graph(2, 4, 0).edges)
    )
    assert not connected(union(turns, [1], 4, 0))  # hop 2 alone
    assert connected(union(turns, [1, 2], 4, 0))
