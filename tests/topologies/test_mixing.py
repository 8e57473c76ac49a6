import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.topologies.mixing import carried, circulant, linked, links, place


@given(nodes=st.integers(2, 12), seed=st.integers(0, 1000), directed=st.booleans(), count=st.integers(1, 6))
@settings(max_examples=50, deadline=None)
def test_circulants_are_sums_of_shifts(nodes, seed, directed, count):
    rng = np.random.default_rng(seed)
    hops, weights = rng.integers(1, nodes, count), rng.uniform(0.1, 1, count) / count
    W = np.zeros((nodes, nodes))
    for hop, weight in zip(hops.tolist(), weights.tolist(), strict=True):
        for i in range(nodes):
            W[(i + hop) % nodes, i] += weight / (1 if directed else 2)
            W[i, (i + hop) % nodes] += 0 if directed else weight / 2
    np.fill_diagonal(W, 1 - W.sum(axis=1))
    graph = circulant(nodes, hops, weights, directed)
    assert graph.is_directed() == directed
    np.testing.assert_allclose(carried(graph).toarray(), W, atol=1e-15)


def test_a_single_node_has_a_circulant_without_links():
    none = np.zeros(0)
    assert list(circulant(1, none.astype(np.int64), none).edges) == []


def test_an_edge_of_a_directed_graph_is_one_link_and_of_an_undirected_one_two():
    receivers, senders = links(nx.DiGraph([(0, 2)]))
    assert (receivers.tolist(), senders.tolist()) == ([2], [0])
    receivers, senders = links(nx.Graph([(0, 2)]))
    assert sorted(zip(receivers.tolist(), senders.tolist(), strict=True)) == [(0, 2), (2, 0)]
    assert [len(ends) for ends in links(nx.empty_graph(3))] == [0, 0]


@pytest.mark.parametrize("directed", [False, True])
def test_the_own_weight_is_what_a_row_lacks_to_1(directed):
    graph = linked(3, np.array([[0, 1], [2, 1]]), np.array([0.25, 0.5]), directed)
    W = [[1, 0, 0], [0.25, 0.25, 0.5], [0, 0, 1]] if directed else [[0.75, 0.25, 0], [0.25, 0.25, 0.5], [0, 0.5, 0.5]]
    np.testing.assert_allclose(carried(graph).toarray(), W)


def test_places_are_pairs_of_numbers_on_the_nodes():
    assert place(nx.empty_graph(2), np.array([[0.0, 0.5], [1.0, 0.25]])).nodes[1]["pos"] == (1.0, 0.25)
