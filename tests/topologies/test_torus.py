import networkx as nx
import pytest

from holdfast.topologies import Torus


def test_three_rows_of_four_by_hand():
    graph = Torus().graph(0, 12, 0)
    assert sorted(graph.neighbors(0)) == [1, 3, 4, 8]
    assert sorted(graph.neighbors(6)) == [2, 5, 7, 10]
    assert {degree for _, degree in graph.degree} == {4}


@pytest.mark.parametrize("nodes", [3, 5, 7])
def test_a_prime_number_of_nodes_is_a_cycle(nodes):
    assert nx.utils.edges_equal(Torus().graph(0, nodes, 0).edges, nx.cycle_graph(nodes).edges)


def test_two_rows_are_linked_once():
    assert sorted(Torus().graph(0, 4, 0).edges) == [(0, 1), (0, 2), (1, 3), (2, 3)]
