import pytest

from holdfast.topologies import Cycle


@pytest.mark.parametrize(
    ("nodes", "edges"),
    [(1, []), (2, [(0, 1)]), (3, [(0, 1), (0, 2), (1, 2)]), (4, [(0, 1), (0, 3), (1, 2), (2, 3)])],
)
def test_neighbours_are_linked_once_and_nobody_to_itself(nodes, edges):
    assert sorted(Cycle().graph(0, nodes, 0).edges) == edges
