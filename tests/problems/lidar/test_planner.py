from heapq import heappop, heappush
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import dijkstra

from holdfast.errors import InputError
from holdfast.problems.lidar.floor_plan import FloorPlan, generate
from holdfast.problems.lidar.planner import Planner, grid_graph
from tests.contract import PROPERTY

# A room of 11 x 11 with a wall from the top that leaves a gap of two rows below.
GAP = np.zeros((11, 11), dtype=np.float32)
GAP[:9, 5] = 1


def a_star(free, start, goal, connectivity):
    """The length of the shortest path in plain Python, infinite if there is none."""
    steps = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    steps += [(1, 1), (1, -1), (-1, 1), (-1, -1)] if connectivity == 8 else []

    def ahead(cell):
        return float(np.hypot(cell[0] - goal[0], cell[1] - goal[1]))

    def may(row, column):
        return 0 <= row < free.shape[0] and 0 <= column < free.shape[1] and free[row, column]

    best, queue = {start: 0.0}, [(ahead(start), start)]
    while queue:
        _, cell = heappop(queue)
        if cell == goal:
            return best[cell]
        for down, right in steps:
            new = (cell[0] + down, cell[1] + right)
            if may(*new) and may(cell[0] + down, cell[1]) and may(cell[0], cell[1] + right):
                length = best[cell] + float(np.hypot(down, right))
                if length < best.get(new, np.inf) - 1e-12:
                    best[new] = length
                    heappush(queue, (length + ahead(new), new))
    return np.inf


def length(path):
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def test_a_diagonal_step_is_longer_and_cuts_no_corner():
    free = np.array([[1, 0, 1], [1, 1, 1]], dtype=bool)  # cells 0 … 5, of which 1 is wall
    assert dijkstra(grid_graph(free), indices=0)[[3, 4, 5, 2]].tolist() == [1, 2, 3, 4]
    open_cells = np.ones((2, 3), dtype=bool)
    assert dijkstra(grid_graph(open_cells, 4), indices=0).tolist() == [0, 1, 2, 1, 2, 3]
    assert dijkstra(grid_graph(open_cells, 8), indices=0).tolist() == [0, 1, 2, 1, 2**0.5, 1 + 2**0.5]


@given(st.integers(0, 10**6), st.sampled_from([4, 8]))
@PROPERTY
def test_the_search_finds_what_a_star_finds(seed, connectivity):
    rng = np.random.default_rng(seed)
    free = rng.random((6, 7)) < 0.7
    start, goal = (tuple(rng.integers((6, 7)).tolist()) for _ in range(2))
    free[start] = free[goal] = True
    found = dijkstra(grid_graph(free, connectivity), indices=start[0] * 7 + start[1])[goal[0] * 7 + goal[1]]
    assert found == pytest.approx(a_star(free, start, goal, connectivity))


def test_a_path_leads_through_the_gap_and_keeps_clear():
    planner = Planner(FloorPlan(GAP), clearance=0.0)
    path = planner.path(np.array([2.0, 2.0]), np.array([8.0, 2.0]))
    assert path[[0, -1]].tolist() == [[2, 2], [8, 2]]
    assert [x for x, y in path.tolist() if y >= 9] == [4, 5, 6]
    assert planner.clear(path).min() >= 0.7
    assert length(path) == pytest.approx(2 + 2 * (5 + 2 * 2**0.5))


def test_clearance_shuts_a_narrow_gap():
    planner = Planner(FloorPlan(GAP), clearance=1.0)
    with pytest.raises(InputError, match=r"goal must be reachable from the start"):
        planner.path(np.array([2.0, 2.0]), np.array([8.0, 2.0]))


@pytest.mark.parametrize(
    ("goal", "complaint"),
    [
        ((5.0, 3.0), "goal must stay out of walls"),
        ((12.0, 3.0), "goal must stay on the map"),
        ((6.0, 3.0), r"goal must be 1 pixels from every wall, but 'x = 6\.0, y = 3\.0 pixels'"),
    ],
)
def test_a_place_where_no_robot_can_be_is_named(goal, complaint):
    with pytest.raises(InputError, match=complaint):
        Planner(FloorPlan(GAP), clearance=1.0).path(np.array([2.0, 2.0]), np.array(goal))


def test_a_clearance_that_nothing_has_is_refused():
    with pytest.raises(InputError, match=r"problem\.clearance must leave a place that is 9 pixels from every wall"):
        Planner(FloorPlan(GAP), clearance=9.0).tour(3, seed=1, robot=0)


def test_waypoints_are_visited_in_their_order():
    planner = Planner(FloorPlan(GAP), clearance=0.0)
    stops = np.array([[2.0, 2.0], [8.0, 2.0], [8.0, 8.0]])
    path = planner.through(stops)
    at = [path.tolist().index(stop) for stop in stops.tolist()]
    assert at == sorted(at)
    assert np.abs(np.diff(path, axis=0)).max() == 1


@pytest.mark.parametrize("robot", range(4))
def test_tours_and_walks_keep_clear_of_walls(robot):
    planner = Planner(generate(300, 3, seed=2), clearance=6.0)
    tour = planner.tour(5, seed=1, robot=robot)
    assert (tour[0] == tour[-1]).all()
    fine = np.concatenate([np.linspace(a, b, 9) for a, b in pairwise(tour)])
    assert planner.clear(fine).min() >= 6
    walk = planner.walk(60, step=5.0, seed=1, robot=robot)
    moves = np.linalg.norm(np.diff(walk, axis=0), axis=1)
    assert planner.clear(walk).min() >= 6
    assert set(moves.round(9).tolist()) <= {0.0, 5.0}
    assert (moves > 0).mean() > 0.9
    assert len(walk) == 60


def test_paths_are_addressed():
    planner = Planner(generate(200, 2, seed=2), clearance=4.0)
    for make in (lambda *who: planner.tour(4, *who), lambda *who: planner.walk(20, 4.0, *who)):
        assert (make(1, 0) == make(1, 0)).all()
        assert make(1, 0).tolist() != make(1, 1).tolist()
        assert make(1, 0).tolist() != make(2, 0).tolist()


def test_a_robot_that_cannot_move_stays():
    plan = FloorPlan(np.zeros((5, 5), dtype=np.float32))
    walk = Planner(plan, clearance=2.0).walk(4, step=3.0, seed=1, robot=0)
    assert walk.tolist() == [[2, 2]] * 4


def test_the_grid_of_a_large_map_is_coarse():
    planner = Planner(FloorPlan(np.zeros((300, 450), dtype=np.float32)), clearance=5.0)
    assert (planner.stride, planner.free_HW.shape) == (3, (100, 150))
    path = planner.path(np.array([31.0, 100.0]), np.array([301.0, 200.0]))
    assert np.abs(path[[0, -1]] - [[31, 100], [301, 200]]).max() <= 1.5
