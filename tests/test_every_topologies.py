import networkx as nx
import numpy as np
import pytest

from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError
from holdfast.topologies import Failing, Topology, Weighted
from holdfast.topologies.positions import positions
from holdfast.topologies.spectrum import connected, union

OTHERS = {
    "disk of a radius": {"name": "disk", "radius": 0.6},
    "disk of a connectivity": {"name": "disk", "connectivity": 0.4},
    "undirected equitopo": {"name": "equitopo", "directed": False},
    "undirected equitopo_dynamic": {"name": "equitopo_dynamic", "directed": False, "eta": 1.0},
    "base_k of 3 neighbours": {"name": "base_k", "k": 3},
    "a failing base_k": {"name": "failing", "topology": "base_k"},
    "small world of 2 neighbours": {"name": "small_world", "k": 2},
}
EVERY = {name: cls() for name, cls in catalogue("topologies").items()} | {
    name: build(Topology, fields) for name, fields in OTHERS.items()
}
SIZES = [1, 2, 3, 4, 7, 16]


@pytest.fixture(params=EVERY.values(), ids=EVERY)
def topology(request):
    return request.param


def graph_or_skip(topology, nodes, round=1, seed=5):
    try:
        return topology.graph(round, nodes, seed)
    except InputError:
        pytest.skip(f"{topology.component_name()} has no graph over {nodes} nodes")


def same(one, other):
    return set(one) == set(other) and nx.utils.edges_equal(one.edges, other.edges, directed=one.is_directed())


def hears(graph):
    """(N, N) whether the row's node hears the column's, or is it."""
    size = graph.number_of_nodes()
    return nx.to_numpy_array(graph, nodelist=range(size), weight=None).T + np.eye(size) > 0


@pytest.mark.parametrize("nodes", SIZES)
def test_graphs_are_over_the_nodes_in_order_and_without_self_loops(topology, nodes):
    graph = graph_or_skip(topology, nodes)
    assert sorted(graph) == list(range(nodes))
    assert nx.number_of_selfloops(graph) == 0
    rounds = range(1, 101) if topology.changes else [1]
    assert connected(union(topology, rounds, nodes, seed=5))


def test_the_graph_of_16_nodes_exists_and_is_addressed(topology):
    assert same(topology.graph(3, 16, 5), topology.graph(3, 16, 5))
    if not topology.changes:
        assert same(topology.graph(0, 16, 5), topology.graph(3, 16, 5))


@pytest.mark.parametrize("nodes", SIZES)
@pytest.mark.parametrize("round", [1, 2])
def test_weights_are_doubly_stochastic_and_zero_off_the_links(topology, nodes, round):
    graph = graph_or_skip(topology, nodes, round)
    W = topology.weights(graph).toarray()
    assert W.shape == (nodes, nodes)
    assert (W >= 0).all()
    np.testing.assert_allclose(W.sum(axis=0), 1)
    np.testing.assert_allclose(W.sum(axis=1), 1)
    assert (W[~hears(graph)] == 0).all()
    assert (W[nx.to_numpy_array(graph, nodelist=range(nodes)).T > 0] > 0).all()
    if not graph.is_directed():
        np.testing.assert_allclose(W, W.T)


def test_every_edge_of_a_weighted_graph_carries_its_weight(topology):
    inner = topology.topology if isinstance(topology, Failing) else topology
    weights = [weight for *_, weight in topology.graph(1, 16, 5).edges(data="weight")]
    assert all((weight is not None) == isinstance(inner, Weighted) for weight in weights)


@pytest.mark.parametrize("nodes", SIZES)
def test_columns_for_push_sum_are_equal_shares_among_those_who_hear(topology, nodes):
    graph = graph_or_skip(topology, nodes)
    heard = hears(graph)
    np.testing.assert_allclose(topology.column_weights(graph).toarray(), heard / heard.sum(axis=0))


@pytest.mark.parametrize("nodes", SIZES)
def test_nodes_are_drawn_apart_within_the_unit_square(topology, nodes):
    places = positions(graph_or_skip(topology, nodes))
    assert places.shape == (nodes, 2)
    assert (places >= -1e-9).all()
    assert (places <= 1 + 1e-9).all()
    assert len(np.unique(places.round(6), axis=0)) == nodes


def test_it_survives_an_experiment_file(topology):
    assert build(Topology, topology.as_mapping()) == topology


def test_it_describes_itself(topology):
    assert topology.summary().endswith(".")
    assert all(field.description for field in type(topology).model_fields.values())
