from holdfast.topologies import Path


def test_neighbours_in_a_row_are_linked():
    assert sorted(Path().graph(0, 4, 0).edges) == [(0, 1), (1, 2), (2, 3)]
    assert list(Path().graph(0, 1, 0).edges) == []
