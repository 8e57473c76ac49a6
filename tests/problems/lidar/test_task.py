import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.partitions import Iid, LabelShards
from holdfast.problems.lidar.floor_plan import FloorPlan
from holdfast.problems.lidar.task import Drive, RobotTask, Site, Window
from tests.contract import PROPERTY


def test_a_window_slides_and_comes_around_by_hand():
    window = Window(scans=3, speed=1.0)
    found = [np.flatnonzero(window.live(round, drive=5)).tolist() for round in range(1, 7)]
    assert found == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [0, 3, 4], [0, 1, 4], [0, 1, 2]]
    assert [window.newest(round, 5) for round in range(1, 7)] == [2, 3, 4, 0, 1, 2]


def test_a_slow_robot_scans_in_some_rounds_only():
    window = Window(scans=2, speed=0.4)
    assert [window.newest(round, 10) for round in range(1, 8)] == [1, 1, 1, 2, 2, 3, 3]


@given(st.integers(1, 8), st.integers(0, 9), st.floats(0.01, 20), st.integers(1, 500))
@PROPERTY
def test_a_window_holds_as_many_scans_in_every_round(scans, more, speed, round):
    live = Window(scans, speed).live(round, scans + more)
    assert live.sum() == scans
    assert live[Window(scans, speed).newest(round, scans + more)]


@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(1, 30), st.integers(0, 99))
@PROPERTY
def test_what_a_node_holds_is_what_a_plain_loop_says(robots, scans, samples, round, seed):
    drive = Drive(np.zeros((robots, scans, 2)), samples, Window(1 + seed % scans, 1.0))
    shard = np.random.default_rng(seed).permutation(robots * scans * samples)[: 1 + seed % 17]
    held = []
    for sample in shard:
        scan = sample // samples % scans
        if any((round - 1 + i) % scans == scan for i in range(1 + seed % scans)):
            held.append(sample)
    assert drive.held(shard, round).tolist() == held


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 99))
@PROPERTY
def test_who_lacks_samples_is_what_a_plain_loop_over_the_rounds_says(scans, samples, seed):
    rng = np.random.default_rng(seed)
    drive = Drive(np.zeros((2, scans, 2)), samples, Window(int(rng.integers(1, scans + 1)), 1.0))
    shards = [rng.choice(2 * scans * samples, rng.integers(1, scans + 1), replace=False) for _ in range(3)]
    empty = [i for i, shard in enumerate(shards) if any(not len(drive.held(shard, r)) for r in range(1, scans + 1))]
    assert drive.lacking(shards).tolist() == empty
    assert not len(Drive(drive.poses_RP2, samples).lacking(shards))


def test_places_are_in_the_unit_square_with_y_upwards():
    drive = Drive(np.array([[[0.0, 0.0]], [[9.0, 4.0]], [[5.0, 1.0]]]), samples=1)
    plan, both = FloorPlan(np.zeros((5, 10), dtype=np.float32)), (torch.zeros(3, 2), torch.zeros(3, 1))
    site = Site(plan, torch.zeros(1, 1), torch.zeros(1, 1, 2))
    task = RobotTask(lambda: torch.nn.Linear(2, 1), both, both, drive=drive, site=site)
    np.testing.assert_allclose(task.places(round=1), [[0, 0.4], [0.9, 0], [0.5, 0.3]])


def test_without_a_window_all_samples_stay():
    drive = Drive(np.arange(12.0).reshape(2, 3, 2), samples=4)
    shard = np.array([5, 1, 20])
    assert drive.held(shard, round=9) is shard
    assert drive.positions(round=9).tolist() == [[0, 1], [6, 7]]


def test_robots_are_where_they_made_their_newest_scan():
    drive = Drive(np.arange(12.0).reshape(2, 3, 2), samples=4, window=Window(scans=2, speed=1.0))
    assert drive.positions(round=1).tolist() == [[2, 3], [8, 9]]
    assert drive.positions(round=3).tolist() == [[0, 1], [6, 7]]


@pytest.mark.parametrize("round", [1, 2, 5])
def test_split_by_robot_each_node_holds_its_robots_window(round):
    drive = Drive(np.zeros((3, 4, 2)), samples=5, window=Window(scans=2, speed=1.0))
    for node, shard in enumerate(LabelShards().split(drive.robots_S, nodes=3, seed=1)):
        held = drive.held(shard, round)
        assert set(drive.robots_S[held].tolist()) == {node}
        assert sorted(set((held // 5 % 4).tolist())) == np.flatnonzero(drive.window.live(round, 4)).tolist()
        assert len(held) == 10


def test_split_at_random_the_windows_are_shared():
    drive = Drive(np.zeros((3, 4, 2)), samples=50, window=Window(scans=2, speed=1.0))
    parts = [drive.held(shard, 1) for shard in Iid().split(drive.robots_S, nodes=4, seed=1)]
    assert sorted(np.concatenate(parts)) == [s for s in range(600) if s // 50 % 4 < 2]
