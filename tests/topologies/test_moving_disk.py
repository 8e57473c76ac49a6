import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.seeding import uniform
from holdfast.topologies import Cycle, Failing, MovingDisk
from holdfast.topologies.disk import within
from holdfast.topologies.positions import positions


def driven(node, seed, way):
    """Where a robot is after some way, leg by leg."""
    stop, at = 0, None
    while True:
        start, end = (
            [uniform(seed, "topology.moving_disk", node, s, axis) for axis in (0, 1)] for s in (stop, stop + 1)
        )
        length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
        if way < length:
            at = [a + (b - a) * way / length for a, b in zip(start, end, strict=True)]
            return np.array(at, dtype=float)
        way, stop = way - length, stop + 1


@pytest.mark.parametrize("round", [0, 1, 7, 60, 500])
def test_robots_drive_leg_by_leg(round):
    places = MovingDisk(speed=0.1).places(round, 4, 5)
    np.testing.assert_allclose(places, [driven(node, 5, 0.1 * round) for node in range(4)], atol=1e-10)


def test_nobody_drives_further_in_a_round_than_the_speed_and_most_that_far():
    places = np.array([MovingDisk(speed=0.02).places(round, 5, 1) for round in range(200)])
    steps = np.linalg.norm(np.diff(places, axis=0), axis=2)
    assert steps.max() <= 0.02 + 1e-12
    assert np.isclose(steps, 0.02).mean() > 0.9
    assert ((places >= 0) & (places <= 1)).all()


def test_the_graph_links_robots_within_reach_at_their_places():
    graph = MovingDisk(radius=0.3).graph(9, 8, 1)
    np.testing.assert_array_equal(positions(graph), MovingDisk(radius=0.3).places(9, 8, 1))
    assert set(graph.edges) == set(within(positions(graph), 0.3).edges)


def test_a_robot_drives_alike_among_few_and_many():
    np.testing.assert_array_equal(MovingDisk().places(50, 3, 1), MovingDisk().places(50, 30, 1)[:3])


def test_without_speed_nobody_moves():
    np.testing.assert_array_equal(MovingDisk(speed=0).places(0, 4, 1), MovingDisk(speed=0).places(99, 4, 1))


def test_robots_of_a_problem_are_followed_round_by_round():
    def places(round):
        return np.array([[0.1, 0.1], [0.1 + 0.1 * round, 0.1], [0.9, 0.9]])

    disk = MovingDisk(radius=0.25)
    followed = disk.placed(places)
    assert [sorted(followed.graph(round, 3, seed=1).edges) for round in (1, 2, 3)] == [[(0, 1)], [(0, 1)], []]
    np.testing.assert_array_equal(positions(followed.graph(2, 3, seed=1)), places(2))
    assert positions(disk.graph(1, 3, seed=1)).tolist() == MovingDisk(radius=0.25).places(1, 3, seed=1).tolist()
    failing = Failing(topology=disk, p=0).placed(places)
    assert sorted(failing.graph(2, 3, seed=1).edges) == [(0, 1)]
    assert Cycle().placed(places) == Cycle()


def test_another_number_of_robots_is_refused():
    with pytest.raises(InputError, match="nodes must be the number of robots of the problem, 2"):
        MovingDisk().placed(lambda round: np.zeros((2, 2))).graph(1, 3, seed=1)
