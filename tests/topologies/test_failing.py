import networkx as nx
import numpy as np
import pytest

from holdfast.catalogue import build
from holdfast.errors import InputError
from holdfast.seeding import uniform
from holdfast.topologies import Complete, Disk, Exponential, Failing, Topology
from holdfast.topologies.positions import positions


@pytest.mark.parametrize("inner", ["cycle", "complete", "exponential", "one_peer_exponential"])
def test_against_edges_struck_one_by_one(inner):
    failing, whole = Failing(topology=inner, p=0.4), build(Topology, inner)
    for round in range(1, 6):
        expected = whole.graph(round, 7, 3)
        for i, j in list(expected.edges):
            ends = (i, j) if expected.is_directed() else (min(i, j), max(i, j))
            if uniform(3, "topology.failing", round, *ends) < 0.4:
                expected.remove_edge(i, j)
        found = failing.graph(round, 7, 3)
        assert nx.utils.edges_equal(found.edges(data=True), expected.edges(data=True), directed=found.is_directed())


def test_about_p_of_the_edges_fail_and_others_each_round():
    one, other = (Failing(topology="complete", p=0.2).graph(round, 50, 1) for round in (1, 2))
    assert abs(one.number_of_edges() - 980) < 4 * (1225 * 0.2 * 0.8) ** 0.5
    assert set(one.edges) != set(other.edges)


def test_p_of_0_spares_all():
    assert Failing(topology="complete", p=0).graph(1, 6, 0).number_of_edges() == 15


def test_the_weights_are_the_other_topologys_of_what_is_left():
    failing = Failing(topology={"name": "complete", "weighting": "max_degree"}, p=0.5)
    graph = failing.graph(1, 6, 0)
    expected = Complete(weighting="max_degree").weights(graph).toarray()
    np.testing.assert_array_equal(failing.weights(graph).toarray(), expected)


def test_who_does_not_hear_keeps_as_much_more_of_its_own():
    failing = Failing(topology="exponential", p=0.5)
    W = failing.weights(failing.graph(1, 8, 0)).toarray()
    whole = Exponential().weights(Exponential().graph(1, 8, 0)).toarray()
    off = ~np.eye(8, dtype=bool)
    assert np.all(np.where(W > 0, W, whole)[off] == whole[off])
    assert 0 < (W[off] > 0).sum() < 24
    np.testing.assert_allclose(W.sum(axis=1), 1)


def test_nodes_keep_their_places():
    np.testing.assert_array_equal(positions(Failing(topology="disk").graph(1, 6, 2)), positions(Disk().graph(1, 6, 2)))


def test_an_unknown_topology_or_a_certain_failure_is_refused():
    with pytest.raises(InputError, match=r"topology.name must be one of the topologies, but 'cicle'"):
        Failing(topology="cicle")
    with pytest.raises(InputError, match="p must be less than 1"):
        Failing(p=1)
