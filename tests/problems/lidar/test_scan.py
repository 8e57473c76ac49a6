from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.problems.lidar.floor_plan import FloorPlan
from holdfast.problems.lidar.scan import Lidar
from tests.contract import PROPERTY
from tests.problems.lidar.test_floor_plan import bilinear

ROOM = np.zeros((21, 41), dtype=np.float32)
ROOM[[0, -1]] = ROOM[:, [0, -1]] = 1
ROOM[5:9, 20] = 1
PLAN = FloorPlan(ROOM)


def plain_scan(lidar, density, pose):
    """The samples of one pose in plain loops, as (x, y, label)."""
    length = lidar.beam_length * max(density.shape)
    samples = []
    for beam in range(lidar.num_beams):
        angle = -np.pi + 2 * np.pi * beam / lidar.num_beams
        x, y = np.cos(angle), np.sin(angle)

        def value(distance, x=x, y=y):
            return bilinear(density, pose[0] + x * distance, pose[1] + y * distance)

        steps = [length * i / (lidar.collision_samps - 1) for i in range(lidar.collision_samps)]
        end, power = length, 1.0
        for before, after in pairwise(steps):
            if value(after) >= 0.5:
                count = lidar.fine_samps
                fine = [before + (after - before) * i / (count - 1) for i in range(count - 1)] + [after]
                end = next(distance for distance in fine if value(distance) >= 0.5)
                power = lidar.samp_distribution_factor
                break
        for i in range(lidar.beam_samps):
            distance = end * (i / (lidar.beam_samps - 1)) ** power
            samples.append((pose[0] + x * distance, pose[1] + y * distance, value(distance)))
    return np.array(samples)


def test_a_wall_at_a_known_distance_by_hand():
    lidar = Lidar(num_beams=4, beam_length=1.0, beam_samps=3, collision_samps=42, fine_samps=11)
    found = lidar.scan(PLAN, np.array([[10.25, 10.25]]))
    # Left, up, right, down: a wall's edge is half a pixel from it, and is met at the next tenth of a pixel's range.
    ends = found.places[0, :, -1]
    np.testing.assert_allclose(ends, [[0.45, 10.25], [10.25, 0.45], [39.55, 10.25], [10.25, 19.55]], atol=1e-9)
    np.testing.assert_allclose(found.places[0, 2, :, 0], [10.25, 24.9, 39.55])
    assert found.densities[0].tolist() == [[0, 0, 1]] * 4


def test_where_nothing_is_hit_the_beam_is_sampled_evenly():
    lidar = Lidar(num_beams=1, beam_length=0.1, beam_samps=3, samp_distribution_factor=0.5)
    found = lidar.scan(PLAN, np.array([[10.0, 10.0]]))
    np.testing.assert_allclose(found.places[0, 0, :, 0], [10, 7.95, 5.9])
    assert found.densities.max() == 0


def test_the_factor_moves_samples_towards_the_wall():
    lidar = Lidar(num_beams=1, beam_length=1, beam_samps=5, samp_distribution_factor=0.5, collision_samps=42)
    found = lidar.scan(PLAN, np.array([[10.25, 10.25]]))  # met at 10 pixels, after 9.5 of which 0.25 lack
    np.testing.assert_allclose(found.places[0, 0, :, 0], 10.25 - 10 * np.sqrt([0, 0.25, 0.5, 0.75, 1]))


def test_the_edge_of_the_map_is_a_wall():
    open_plan = FloorPlan(np.zeros((5, 5), dtype=np.float32))
    found = Lidar(num_beams=4, beam_length=2, beam_samps=2, collision_samps=21).scan(open_plan, np.array([[2.0, 2.0]]))
    assert found.densities[..., -1].min() == 1
    np.testing.assert_allclose(np.abs(found.places[0, :, -1] - 2).max(-1), 2.5)


@pytest.mark.parametrize("rounded", [True, False])
@pytest.mark.parametrize("factor", [1.0, 0.6])
def test_scans_are_those_of_plain_loops(rounded, factor):
    lidar = Lidar(num_beams=7, beam_length=0.6, beam_samps=6, samp_distribution_factor=factor, round_density=rounded)
    poses = PLAN.random(3, "pose", np.arange(5))
    found = lidar.scan(PLAN, poses)
    for pose, places, densities in zip(poses, *found, strict=True):
        plain = plain_scan(lidar, ROOM, pose)
        np.testing.assert_allclose(places.reshape(-1, 2), plain[:, :2], atol=1e-9)
        expected = plain[:, 2] >= 0.5 if rounded else plain[:, 2]
        np.testing.assert_allclose(densities.ravel(), expected, atol=1e-6)


@given(st.integers(0, 10**6), st.integers(1, 9), st.floats(0.05, 2), st.integers(2, 9))
@PROPERTY
def test_a_beam_is_free_up_to_its_end_and_a_hit_is_wall(seed, beams, length, samples):
    rng = np.random.default_rng(seed)
    plan = FloorPlan((rng.random((9, 13)) < 0.3).astype(np.float32))
    if plan.density_HW.min() == 1:
        return
    # The samples of a beam without a hit, and the coarse search, look at the same places.
    lidar = Lidar(num_beams=beams, beam_length=length, beam_samps=samples, collision_samps=samples)
    found = lidar.scan(plan, plan.random(seed, "pose", np.arange(3)))
    ranges = np.linalg.norm(found.places - found.places[..., :1, :], axis=-1)
    short = ranges[..., -1] < length * plan.longer - 1e-6
    assert (found.densities[short][:, -1] == 1).all(), "a beam that ends early ends at a wall"
    assert (np.diff(ranges) >= -1e-12).all()
    assert (plan.at(found.places) >= 0.5).tolist() == (found.densities == 1).tolist()


def test_poses_are_measured_alike_alone_and_together(monkeypatch):
    lidar, poses = Lidar(range_noise=0.5), PLAN.random(1, "pose", np.arange(6))
    together = lidar.scan(PLAN, poses, seed=4)
    monkeypatch.setattr("holdfast.problems.lidar.scan._AT_ONCE", 1)
    assert (lidar.scan(PLAN, poses, seed=4).places == together.places).all()
    alone = lidar.scan(PLAN, poses[4:5], seed=4, names_P=np.array([4]))
    assert (alone.places[0] == together.places[4]).all()


def test_noise_moves_places_and_not_labels():
    poses = np.repeat([[10.0, 10.0]], 2000, axis=0)
    exact = Lidar(num_beams=1, beam_length=1).scan(PLAN, poses)
    noisy = Lidar(num_beams=1, beam_length=1, range_noise=0.5).scan(PLAN, poses, seed=1)
    assert (noisy.densities == exact.densities).all()
    error = (exact.places - noisy.places)[:, 0, -1, 0]
    assert error.mean() == pytest.approx(0, abs=0.05)
    assert error.std() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose((exact.places - noisy.places)[:, 0, 12, 0], error / 2, atol=1e-9)
    assert (Lidar(num_beams=1, beam_length=1, range_noise=0.5).scan(PLAN, poses, seed=2).places != noisy.places).any()


def test_noise_leaves_beams_that_hit_nothing():
    lidar = {"num_beams": 1, "beam_length": 0.1}
    poses = np.array([[10.0, 10.0]])
    noisy = Lidar(**lidar, range_noise=5.0).scan(PLAN, poses)
    assert (noisy.places == Lidar(**lidar).scan(PLAN, poses).places).all()


@pytest.mark.parametrize(
    ("pose", "complaint"),
    [((20.0, 6.0), r"stay out of walls, but 'the position x = 20\.0, y = 6\.0"), ((50.0, 6.0), "stay on the map")],
)
def test_a_start_in_a_wall_or_outside_is_refused(pose, complaint):
    with pytest.raises(InputError, match=complaint):
        Lidar().scan(PLAN, np.array([[10.0, 10.0], pose]))


@pytest.mark.parametrize("wrong", [{"num_beams": 0}, {"beam_length": 0}, {"fine_samps": 1}, {"range_noise": -1}])
def test_hyperparameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Lidar(**wrong)
