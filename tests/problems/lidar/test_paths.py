import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.problems.lidar.floor_plan import FloorPlan, generate
from holdfast.problems.lidar.paths import evenly, read_path, smooth, spline
from holdfast.problems.lidar.planner import Planner


def test_a_spline_goes_through_its_points():
    points = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0], [4.0, 4.0], [6.0, 0.0]])
    curve = spline(points)
    distance = np.linalg.norm(curve[:, None] - points, axis=-1).min(0)
    assert distance.max() < 0.2
    np.testing.assert_allclose(curve[[0, -1]], points[[0, -1]], atol=1e-9)


def test_a_spline_of_a_circle_is_a_circle_without_a_corner():
    angles = np.linspace(0, 2 * np.pi, 13)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    circle[-1] = circle[0]
    curve = spline(circle)
    np.testing.assert_allclose(np.linalg.norm(curve, axis=1), 1, atol=0.002)
    turns = np.diff(np.unwrap(np.arctan2(*np.diff(curve, axis=0).T[::-1])))
    assert np.abs(turns).max() < 0.1


def test_points_that_repeat_do_no_harm():
    points = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0], [3.0, 1.0], [3.0, 1.0], [4.0, 4.0], [6.0, 0.0]])
    assert (spline(points) == spline(points[[0, 2, 3, 5, 6]])).all()


def test_too_few_points_stay_as_they_are():
    points = np.array([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]])
    assert (spline(points) == points).all()


@pytest.mark.parametrize("robot", range(4))
def test_smoothed_tours_keep_clear_and_turn_less_sharply(robot):
    planner = Planner(generate(400, 3, seed=3), clearance=6.0)
    tour = planner.tour(5, seed=1, robot=robot)
    curve = smooth(planner, tour)
    assert planner.clear(curve).min() >= 6
    assert np.linalg.norm(curve[0] - curve[-1]) < 1e-6

    def sharpest(path):
        steps = np.diff(path, axis=0)
        directions = steps / np.linalg.norm(steps, axis=1, keepdims=True)
        return np.arccos((directions[1:] * directions[:-1]).sum(1).clip(-1, 1)).max()

    assert sharpest(curve) < sharpest(tour)


def test_a_path_that_no_spline_follows_clear_of_walls_stays_as_it_is():
    slit = np.ones((9, 9), dtype=np.float32)
    slit[4, 1:8] = slit[1:5, 7] = 0
    planner = Planner(FloorPlan(slit), clearance=1.0)
    path = np.array([[1.0, 4.0], [4.0, 4.0], [7.0, 4.0], [7.0, 3.0], [7.0, 1.0]])
    assert smooth(planner, path) is path


def test_even_places_lie_at_equal_distances():
    angles = np.linspace(0, 2 * np.pi, 1001) ** 1.5
    path = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    gaps = np.linalg.norm(np.diff(evenly(path, 40), axis=0), axis=1)
    np.testing.assert_allclose(gaps, gaps.mean(), rtol=1e-3)


def test_a_path_of_one_place_is_stood_on():
    assert evenly(np.array([[3.0, 4.0]]), 3).tolist() == [[3, 4]] * 3


def test_waypoints_come_from_a_file(tmp_path):
    points = np.array([[0, 0], [1, 1], [-1, 1], [0, -1]])
    np.save(tmp_path / "path.npy", points)
    found = read_path(tmp_path / "path.npy")
    assert found.dtype == np.float64
    assert found.tolist() == points.tolist()


@pytest.mark.parametrize(
    "array",
    [np.zeros((5, 3)), np.zeros(8), np.zeros((3, 2)), np.zeros((2, 5)), np.array([["a", "b"]] * 5), np.zeros((0, 2))],
)
def test_a_path_of_the_wrong_shape_is_refused(tmp_path, array):
    np.save(tmp_path / "path.npy", array)
    with pytest.raises(InputError, match=r"path\.npy must hold 4 to 100000 way points, as an \.npy array \(n, 2\)"):
        read_path(tmp_path / "path.npy")


def test_a_path_that_is_not_finite_is_refused(tmp_path):
    np.save(tmp_path / "path.npy", np.full((5, 2), np.nan))
    with pytest.raises(InputError, match="finite numbers"):
        read_path(tmp_path / "path.npy")


@pytest.mark.parametrize("content", [b"", b"no array"])
def test_what_is_no_array_is_refused(tmp_path, content):
    (tmp_path / "path.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"path\.npy must hold 4 to"):
        read_path(tmp_path / "path.npy")
