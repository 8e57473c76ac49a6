import networkx as nx
import pytest

from holdfast.errors import InputError
from holdfast.topologies import SmallWorld


def test_with_p_of_0_it_is_a_ring_of_near_neighbours():
    expected = nx.circulant_graph(9, [1, 2])
    assert nx.utils.edges_equal(SmallWorld(k=4, p=0).graph(0, 9, 1).edges, expected.edges)


def test_about_p_of_the_links_are_moved_and_none_is_lost():
    graph, ring = SmallWorld(k=4, p=0.25).graph(0, 200, 1), nx.circulant_graph(200, [1, 2])
    moved = sum(not ring.has_edge(*edge) for edge in graph.edges)
    assert graph.number_of_edges() == 400
    assert 60 < moved < 140  # 100 expected, and a deviation is 9


def test_another_seed_gives_another_graph():
    one, other = (SmallWorld(p=0.5).graph(0, 20, seed) for seed in (1, 2))
    assert set(one.edges) != set(other.edges)


def test_too_few_nodes_are_refused():
    with pytest.raises(InputError, match=r"topology.k must be below the number of nodes, 4, but 4 was given"):
        SmallWorld(k=4).graph(0, 4, 1)


def test_giving_up_names_k_p_the_nodes_and_the_attempts():
    with pytest.raises(InputError, match=r"k 2 and p 1.0 over 1000 nodes, 2 attempts"):
        SmallWorld(k=2, p=1, attempts=2).graph(0, 1000, 1)


@pytest.mark.parametrize("wrong", [{"k": 3}, {"k": 0}, {"p": 1.1}, {"attempts": 0}])
def test_hyperparameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        SmallWorld(**wrong)
