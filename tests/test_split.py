from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.topologies.spectrum import connected, union

from .tiny import notes, play, prepare, simulation

ROBOTS: dict[str, Any] = {
    "name": "online_density",
    "robots": 3,
    "scans": 8,
    "window_scans": 4,
    "validation_scans": 2,
    "size": 120,
    "rooms": 2,
    "clearance": 0.03,
    "lidar": {"num_beams": 4, "beam_samps": 5},
    "model": {"name": "fourier", "hidden": [8]},
}
RUN: dict[str, Any] = {
    "problem": ROBOTS,
    "nodes": 3,
    "partition": "label_shards",
    "topology": {"name": "moving_disk", "radius": 1.5},
    "algorithm": {"name": "dsgd", "batch_size": 8},
    "engine": "sequential",
}


@pytest.mark.parametrize("round", [1, 2, 7])
def test_node_i_has_the_last_scans_of_robot_i(round: int) -> None:
    run = prepare(**RUN)
    cohort = run.cohort(run.everyone, round)
    for node, shard in enumerate(cohort.shards):
        robots, scans = shard // (8 * 20), shard // 20 % 8
        assert set(robots.tolist()) == {node}
        assert set(scans.tolist()) == {(round - 1 + i) % 8 for i in range(4)}
    assert cohort.sizes_K.tolist() == [4 * 20] * 3


def test_what_a_robot_has_is_what_it_trains_on_and_is_judged_by() -> None:
    run = prepare(**RUN)
    x_KD = run.parts.initial_D.repeat(3, 1)
    early, late = (run.cohort(run.everyone, round).evaluate_local(x_KD)["loss"] for round in (1, 5))
    assert (early != late).all()
    hardest = run.cohort(run.everyone, 5).hardest(x_KD, 1000)
    for node, shard in enumerate(run.cohort(run.everyone, 5).shards):
        assert sorted(i for i in hardest[node].tolist() if i >= 0) == sorted(shard.tolist())


def test_without_a_window_robots_keep_all() -> None:
    static = {key: value for key, value in ROBOTS.items() if key != "window_scans"} | {"name": "lidar_density"}
    run = prepare(**RUN | {"problem": static})
    assert run.cohort(run.everyone, 9).sizes_K.tolist() == [8 * 20] * 3


def test_a_partition_that_leaves_a_window_empty_is_refused() -> None:
    with pytest.raises(InputError, match=r"partition must leave every node samples in each window of scans, but 'iid"):
        prepare(**RUN | {"partition": "iid", "nodes": 200, "topology": "cycle"})


def test_recovery_is_refused_where_robots_forget() -> None:
    fields = {**RUN, "algorithm": "fedavg", "topology": "star", "recovery": "shard"}
    with pytest.raises(InputError, match=r"recovery must be none where robots forget"):
        prepare(**fields)


def test_the_graph_is_that_of_the_robots_and_moves_with_them() -> None:
    sim = simulation(**RUN | {"rounds": 8, "topology": {"name": "moving_disk", "radius": 0.6}})
    drive, plan = sim.run.robots.drive, sim.run.robots.site.plan  # type: ignore[union-attr]
    for round in (1, 3, 6):
        pixels = drive.positions(round)
        near = {
            (i, j) for i in range(3) for j in range(i) if np.linalg.norm(pixels[i] - pixels[j]) <= 0.6 * plan.longer
        }
        assert {(max(edge), min(edge)) for edge in sim.run.graph(round).edges} == near
    assert np.isfinite(play(sim, 3)).all()


def test_robots_that_never_meet_are_refused() -> None:
    with pytest.raises(InputError, match="topology must be connected, over all rounds"):
        prepare(**RUN | {"topology": {"name": "moving_disk", "radius": 0.001}})


@pytest.mark.parametrize("topology", [{"name": "moving_disk"}, {"name": "failing", "topology": "moving_disk"}])
def test_as_many_nodes_as_robots_are_needed_to_follow_them(topology: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"nodes must be the number of robots of the problem, 3"):
        prepare(**RUN | {"nodes": 2, "partition": "iid", "topology": topology})


def test_a_changing_graph_is_measured_in_every_evaluation() -> None:
    sim = simulation(**RUN | {"topology": "random_matching", "nodes": 3})
    assert connected(union(sim.run.topology, range(1, 20), 3, 1))
    sim.measure(0)
    assert (0, "spectral_gap", None) not in notes(sim).values
    play(sim, 1)
    assert sim.measure(1)["algebraic_connectivity"] == 0
    assert notes(sim).values[1, "spectral_gap", None] == 0
