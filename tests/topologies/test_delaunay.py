import itertools

import numpy as np
import pytest

from holdfast.topologies import Delaunay
from holdfast.topologies.positions import positions


def circle(a, b, c):
    """The centre and the radius of the circle through three points."""
    centre = np.linalg.solve(2 * np.array([b - a, c - a]), [b @ b - a @ a, c @ c - a @ a])
    return centre, np.linalg.norm(centre - a)


@pytest.mark.parametrize("nodes", [3, 4, 5, 8])
def test_triangles_are_those_whose_circles_are_empty(nodes):
    for seed in range(5):
        graph = Delaunay().graph(0, nodes, seed)
        pos, expected = positions(graph), set()
        for corners in itertools.combinations(range(nodes), 3):
            centre, radius = circle(*pos[list(corners)])
            others = [i for i in range(nodes) if i not in corners]
            if all(np.linalg.norm(pos[i] - centre) > radius for i in others):
                expected |= set(itertools.combinations(corners, 2))
        assert {(min(edge), max(edge)) for edge in graph.edges} == expected


def test_two_nodes_are_linked_and_one_stands_alone():
    assert list(Delaunay().graph(0, 2, 0).edges) == [(0, 1)]
    assert list(Delaunay().graph(0, 1, 0).edges) == []
    assert len(Delaunay().graph(0, 1, 0).nodes[0]["pos"]) == 2


def test_another_seed_gives_other_places():
    one, other = (positions(Delaunay().graph(0, 5, seed)) for seed in (1, 2))
    assert not np.isclose(one, other).any()
