import networkx as nx
import numpy as np
import pytest

from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError
from holdfast.topologies import Topology


@pytest.fixture(params=catalogue("topologies").values(), ids=catalogue("topologies"))
def topology(request):
    return request.param()


def graph_or_skip(topology, nodes, round=0, seed=5):
    try:
        return topology.graph(round, nodes, seed)
    except InputError:
        pytest.skip(f"{topology.component_name()} has no graph over {nodes} nodes")


def same(one, other):
    return set(one) == set(other) and nx.utils.edges_equal(one.edges, other.edges)


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 7, 16])
def test_graphs_are_over_the_nodes_in_order_and_without_self_loops(topology, nodes):
    graph = graph_or_skip(topology, nodes)
    assert sorted(graph) == list(range(nodes))
    assert nx.number_of_selfloops(graph) == 0
    if not topology.changes:
        assert nx.is_connected(graph.to_undirected())


def test_the_graph_of_16_nodes_exists_and_is_addressed(topology):
    assert same(topology.graph(3, 16, 5), topology.graph(3, 16, 5))
    if not topology.changes:
        assert same(topology.graph(0, 16, 5), topology.graph(3, 16, 5))


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 7, 16])
def test_weights_are_doubly_stochastic_and_zero_off_the_links(topology, nodes):
    graph = graph_or_skip(topology, nodes)
    W = topology.weights(graph).toarray()
    assert W.shape == (nodes, nodes)
    assert (W >= 0).all()
    np.testing.assert_allclose(W.sum(axis=0), 1)
    np.testing.assert_allclose(W.sum(axis=1), 1)
    linked = nx.to_numpy_array(graph.to_undirected(), nodelist=range(nodes)) + np.eye(nodes) > 0
    assert (W[~linked] == 0).all()
    if not graph.is_directed():
        np.testing.assert_allclose(W, W.T)


def test_it_survives_an_experiment_file(topology):
    assert build(Topology, topology.as_mapping()) == topology


def test_it_describes_itself(topology):
    assert topology.summary().endswith(".")
    assert all(field.description for field in type(topology).model_fields.values())
