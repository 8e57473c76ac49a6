import numpy as np
import pytest
import torch
from matplotlib import image

from holdfast.errors import InputError
from holdfast.models import Siren
from holdfast.partitions import LabelShards
from holdfast.problems import LidarDensity
from holdfast.problems.lidar.base import density_loss, occupied

SMALL = {"size": 120, "rooms": 2, "robots": 3, "scans": 4, "validation_scans": 2, "clearance": 0.03}
LIDAR = {"num_beams": 6, "beam_samps": 5}
LOOP = np.array([[-0.5, -0.5], [0.5, -0.5], [0.6, 0.0], [0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5]])


@pytest.fixture
def flat(tmp_path):
    """A data folder with an empty room of 81 x 41 pixels, and a way around in it."""
    pixels = np.zeros((41, 81, 3), dtype=np.uint8)
    pixels[[0, -1]] = pixels[:, [0, -1]] = 255
    image.imsave(tmp_path / "flat.png", pixels)
    np.save(tmp_path / "loop.npy", LOOP)
    return tmp_path


def small(**fields):
    return LidarDensity(**{**SMALL, "lidar": LIDAR, **fields})


@pytest.mark.parametrize("poses", ["random", "trajectory", "walk"])
def test_samples_are_scans_robot_after_robot(poses):
    problem = small(poses=poses)
    task, plan = problem.load(), problem.plan()
    assert [tuple(t.shape) for t in (*task.train, *task.test)] == [(360, 2), (360, 1), (60, 2), (60, 1)]
    assert task.drive.poses_RP2.shape == (3, 4, 2)
    first = task.train[0].view(3, 4, 6, 5, 2)[:, :, :, 0].double().numpy() + plan.extent / 2
    np.testing.assert_allclose(first, np.broadcast_to(task.drive.poses_RP2[:, :, None], first.shape), atol=1e-4)
    places = task.train[0].double().numpy() + plan.extent / 2
    inside = np.abs(plan.at(places) - 0.5) > 0.01  # float32 moves a place a little
    assert (plan.at(places) >= 0.5)[inside].tolist() == (task.train[1][:, 0] == 1).numpy()[inside].tolist()


def test_the_split_can_follow_the_robots():
    task = small().load()
    parts = LabelShards().split(task.drive.robots_S, nodes=3, seed=1)
    assert [sorted(part.tolist()) for part in parts] == [list(range(120 * i, 120 * i + 120)) for i in range(3)]


def test_the_data_are_a_function_of_the_problems_seed():
    one, again, other = (small(seed=seed, lidar={**LIDAR, "range_noise": 1.0}).load() for seed in (1, 1, 2))
    assert torch.equal(one.train[0], again.train[0])
    assert torch.equal(one.test[0], again.test[0])
    assert not torch.equal(one.train[0], other.train[0])


def test_the_first_robots_do_not_depend_on_the_others():
    few, many = small(robots=2).load(), small(robots=5).load()
    assert torch.equal(few.train[0], many.train[0][: len(few.train[0])])


def test_coordinates_in_the_unit_square_are_the_same_places():
    pixel, unit = small().load(), small(coordinates="unit", model="siren").load()
    torch.testing.assert_close(pixel.train[0] / 59.5, unit.train[0])
    assert unit.train[0].abs().max() <= 1
    assert small(model="siren").model == Siren()


def test_an_image_and_way_points_from_the_data_folder(flat):
    problem = small(poses="trajectory", image="flat.png", paths=("loop.npy",), robots=1, scans=10)
    poses = problem.load(flat).drive.poses_RP2[0]
    np.testing.assert_allclose(poses[0], [20, 10], atol=1e-9)
    assert np.abs(poses - [[20, 10]]).sum(1).argmin() == 0
    gaps = np.linalg.norm(np.diff(np.vstack([poses, poses[:1]]), axis=0), axis=1)
    assert gaps.min() > 0.7 * gaps.max()


def test_a_path_through_a_wall_is_refused_by_name(flat):
    problem = small(poses="trajectory", image="flat.png", paths=("loop.npy",), robots=1, border_width=15)
    with pytest.raises(InputError, match=r"loop\.npy must stay out of walls, but 'the position x = "):
        problem.load(flat)


@pytest.mark.parametrize("column", range(195, 205))
def test_no_wall_is_too_thin_to_be_seen(tmp_path, column):
    pixels = np.zeros((21, 401, 3), dtype=np.uint8)
    pixels[:, column : column + 2] = 255
    image.imsave(tmp_path / "flat.png", pixels)
    np.save(tmp_path / "line.npy", np.array([[x, 0.0] for x in (-0.9, -0.5, -0.1, 0.3, 0.7, 0.9)]))
    with pytest.raises(InputError, match=r"line\.npy must stay out of walls"):
        small(poses="trajectory", image="flat.png", paths=("line.npy",), robots=1).load(tmp_path)


def test_a_path_that_leaves_the_map_is_refused_by_name(flat):
    np.save(flat / "loop.npy", 3 * LOOP)
    with pytest.raises(InputError, match=r"loop\.npy must stay on the map"):
        small(poses="trajectory", image="flat.png", paths=("loop.npy",), robots=1).load(flat)


def test_as_many_files_as_robots_are_asked_for(flat):
    with pytest.raises(InputError, match=r"problem\.paths must name a file for each of 3 robots, but 1 was given"):
        small(poses="trajectory", image="flat.png", paths=("loop.npy",)).load(flat)


def test_a_border_that_covers_the_map_is_refused(flat):
    with pytest.raises(InputError, match=r"problem\.border_width must be less than half of the 41 pixels"):
        small(image="flat.png", border_width=21).load(flat)


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.png must be in the data folder"):
        small(image="none.png").load(tmp_path)


@pytest.mark.parametrize("fields", [{"image": "../flat.png"}, {"paths": ("/etc/path.npy",)}])
def test_files_outside_the_data_folder_are_refused(fields):
    with pytest.raises(InputError, match=f"{next(iter(fields))} must be within the data folder"):
        small(**fields)


def test_the_loss_is_the_cross_entropy_of_a_density():
    outputs, targets = torch.tensor([[-1.5], [0.3], [100.0]]), torch.tensor([[1.0], [0.25], [0.0]])
    density = outputs[:2].double().sigmoid()
    plain = -(targets[:2] * density.log() + (1 - targets[:2]) * (1 - density).log())
    torch.testing.assert_close(density_loss(outputs, targets)[:2].double(), plain[:, 0])
    assert density_loss(outputs, targets)[2] == 100


def test_an_output_that_is_nan_is_wrong():
    assert occupied(torch.tensor([[torch.nan], [torch.nan]]), torch.tensor([[0.0], [1.0]])).tolist() == [0, 0]


def test_the_real_floor_plan_and_its_paths(real_data):
    paths = tuple(f"floorplan/path{i}.npy" for i in range(1, 8))
    problem = LidarDensity(poses="trajectory", image="floorplan/floor_img.png", paths=paths, scans=20, lidar=LIDAR)
    plan, task = problem.plan(real_data), problem.load(real_data)
    assert plan.density_HW.shape == (1608, 2167)
    assert task.drive.poses_RP2.shape == (7, 20, 2)
    assert 0.02 < task.train[1].mean() < 0.2
