from holdfast.topologies import Star


def test_everybody_is_linked_to_node_0_only():
    assert sorted(Star().graph(0, 5, 0).edges) == [(0, 1), (0, 2), (0, 3), (0, 4)]
    assert list(Star().graph(0, 1, 0)) == [0]
