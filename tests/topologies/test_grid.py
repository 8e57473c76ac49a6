import networkx as nx
import pytest

from holdfast.errors import InputError
from holdfast.topologies import Grid


def test_two_rows_of_three_by_hand():
    graph = Grid().graph(0, 6, 0)
    assert sorted(graph.edges) == [(0, 1), (0, 3), (1, 2), (1, 4), (2, 5), (3, 4), (4, 5)]
    assert [graph.nodes[node]["pos"] for node in (0, 2, 3, 5)] == [(0, 0), (1, 0), (0, 0.5), (1, 0.5)]


@pytest.mark.parametrize(("nodes", "rows"), [(1, 1), (2, 1), (7, 1), (12, 3), (16, 4), (18, 3)])
def test_left_out_the_rows_make_it_as_square_as_can_be(nodes, rows):
    assert nx.utils.graphs_equal(Grid().graph(0, nodes, 0), Grid(rows=rows).graph(0, nodes, 0))
    assert Grid().graph(0, nodes, 0).number_of_edges() == rows * (nodes // rows - 1) + (rows - 1) * nodes // rows


def test_rows_that_the_nodes_do_not_fill_are_refused():
    with pytest.raises(InputError, match=r"topology.rows must divide the number of nodes, 10, but 4 was given"):
        Grid(rows=4).graph(0, 10, 0)
