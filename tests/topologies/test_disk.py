import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.topologies import Disk
from holdfast.topologies.disk import within
from holdfast.topologies.positions import positions
from holdfast.topologies.spectrum import algebraic_connectivity


def distances(graph):
    pos = positions(graph)
    return {(i, j): np.linalg.norm(pos[i] - pos[j]) for i, j in itertools.combinations(range(len(pos)), 2)}


def longest(graph):
    return max(distances(graph)[min(edge), max(edge)] for edge in graph.edges)


def test_links_up_to_a_radius_by_hand():
    pos = np.array([[0.0, 0.0], [0.3, 0.4], [1.0, 0.4], [1.0, 0.9]])
    assert sorted(within(pos, 0.5).edges) == [(0, 1), (2, 3)]
    assert sorted(within(pos, 0.7).edges) == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize("seed", range(4))
def test_a_radius_links_the_pairs_that_near(seed):
    graph = Disk(radius=0.4).graph(0, 12, seed)
    assert {(min(edge), max(edge)) for edge in graph.edges} == {p for p, d in distances(graph).items() if d <= 0.4}
    assert nx.is_connected(graph)


@given(nodes=st.integers(2, 15), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_left_out_the_radius_is_the_least_that_connects(nodes, seed):
    graph = Disk().graph(0, nodes, seed)
    reach = longest(graph)
    assert nx.is_connected(graph)
    assert {(min(edge), max(edge)) for edge in graph.edges} == {p for p, d in distances(graph).items() if d <= reach}
    graph.remove_edges_from([edge for edge in graph.edges if distances(graph)[min(edge), max(edge)] == reach])
    assert not nx.is_connected(graph)


@given(nodes=st.integers(2, 12), seed=st.integers(0, 1000), share=st.floats(0.01, 1))
@settings(max_examples=30, deadline=None)
def test_a_connectivity_is_reached_by_the_shortest_links_that_are_enough(nodes, seed, share):
    target = share * nodes
    graph = Disk(connectivity=target).graph(0, nodes, seed)
    assert algebraic_connectivity(graph) >= target * (1 - 1e-6)
    reach = longest(graph)
    assert {(min(edge), max(edge)) for edge in graph.edges} == {p for p, d in distances(graph).items() if d <= reach}
    graph.remove_edges_from([edge for edge in graph.edges if distances(graph)[min(edge), max(edge)] == reach])
    assert algebraic_connectivity(graph) < target


def test_a_single_node_has_a_place():
    for disk in (Disk(), Disk(radius=0.1), Disk(connectivity=0.5)):
        assert positions(disk.graph(0, 1, 3)).shape == (1, 2)


def test_another_seed_gives_other_places():
    one, other = (positions(Disk().graph(0, 5, seed)) for seed in (1, 2))
    assert not np.isclose(one, other).any()


def test_giving_up_names_the_radius_the_nodes_and_the_attempts():
    with pytest.raises(InputError, match=r"radius 0.01 over 20 nodes, 3 attempts.*Raise radius or attempts"):
        Disk(radius=0.01, attempts=3).graph(0, 20, 1)


def test_more_connectivity_than_nodes_is_refused():
    with pytest.raises(InputError, match=r"connectivity must be at most 5 over 5 nodes, but 6.0 was given"):
        Disk(connectivity=6).graph(0, 5, 1)


def test_a_radius_and_a_connectivity_are_one_too_many():
    with pytest.raises(InputError, match=r"radius 0.5 and connectivity 1.0"):
        Disk(radius=0.5, connectivity=1)
