import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.problems import LidarDensity, OnlineDensity

SMALL = {"size": 120, "rooms": 2, "robots": 3, "scans": 6, "validation_scans": 2, "clearance": 0.03}
LIDAR = {"num_beams": 4, "beam_samps": 5}


@pytest.mark.parametrize("poses", ["trajectory", "walk"])
def test_it_is_lidar_density_with_a_window(poses):
    fields = {**SMALL, "poses": poses, "lidar": LIDAR}
    still, online = LidarDensity(**fields).load(), OnlineDensity(**fields, window_scans=2, speed=0.5).load()
    assert (still.train[0] == online.train[0]).all()
    assert (still.test[0] == online.test[0]).all()
    robot_1 = np.arange(120, 240)
    assert still.drive.held(robot_1, round=4) is robot_1
    assert online.drive.held(robot_1, round=4).tolist() == list(range(140, 180))


def test_the_newest_scan_of_a_window_is_where_the_robot_is():
    problem = OnlineDensity(**SMALL, lidar=LIDAR, window_scans=2, speed=1.0)
    task, plan = problem.load(), problem.plan()
    newest = task.drive.held(np.arange(120), round=3)[-20:]
    starts = task.train[0][newest].view(4, 5, 2)[:, 0].double().numpy() + plan.extent / 2
    np.testing.assert_allclose(starts, np.tile(task.drive.positions(round=3)[0], (4, 1)), atol=1e-4)


def test_a_window_of_more_scans_than_a_drive_is_refused():
    with pytest.raises(InputError, match="window_scans must be at most the 6 scans of a drive, but 7 was given"):
        OnlineDensity(**SMALL, window_scans=7)
