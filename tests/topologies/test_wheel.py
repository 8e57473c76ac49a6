import pytest

from holdfast.topologies import Wheel


@pytest.mark.parametrize("nodes", range(1, 8))
def test_a_star_with_a_cycle_around_it(nodes):
    rim = range(1, nodes)
    spokes = {(0, node) for node in rim}
    around = {tuple(sorted((a, b))) for a, b in zip(rim, [*rim[1:], 1], strict=False) if a != b}
    assert {tuple(sorted(edge)) for edge in Wheel().graph(0, nodes, 0).edges} == spokes | around
