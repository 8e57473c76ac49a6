"""The virtual time of a run: whom a round waits for, and what is still on its way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.algorithms.federated.fedbuff import FedBuff
from holdfast.clock import VirtualClock
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.runtimes.pace import Pace
from holdfast.runtimes.simulation import Simulation
from holdfast.runtimes.weather import Weather
from holdfast.types import BoolArray, IntArray

from ..tiny import Blobs, line, notes, play, simulation

STEP = {"local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}
FAST = {"compute": 1.0, "up": 1e9, "down": 1e9, "latency": 0.0}
"""A clock of which only computing takes time: one second a sample of a node of speed 1."""


def speeds(folder: Path, *seconds: float) -> dict[str, Any]:
    """A clock with these seconds a sample."""
    file = folder / "nodes.csv"
    file.write_text("node,compute\n" + "".join(f"{node},{s}\n" for node, s in enumerate(seconds)))
    return {**FAST, "nodes": str(file)}


def five(**fields: Any) -> Simulation:
    return simulation(**{"algorithm": FedAvg(**STEP), **line(2.0, 4.0, 6.0, 8.0, 10.0), **fields})


def times(sim: Simulation, rounds: int) -> list[float]:
    return [notes(sim).values[round, "virtual_seconds", None] for round in range(1, rounds + 1)]


def test_a_round_takes_as_long_as_its_slowest_node(tmp_path: Path) -> None:
    sim = five(clock=speeds(tmp_path, 1, 2, 3, 4, 5))
    play(sim, 2)
    assert times(sim, 2) == pytest.approx([5, 10], abs=1e-3)


def test_bytes_take_time() -> None:
    sim = five(clock={"compute": 1e-9, "up": 1e-3, "down": 2e-3, "latency": 0.5})
    play(sim, 1)
    up = 8e-3 * (4 + notes(sim).by_node(1, "header_bytes_up")[0])
    down = 4e-3 * (4 + notes(sim).by_node(1, "header_bytes_down")[0])
    assert times(sim, 1) == pytest.approx([up + down + 1])


def test_of_too_many_the_slowest_are_left_behind(tmp_path: Path) -> None:
    clock = {**speeds(tmp_path, 1, 2, 3, 4, 5), "over_selection": 5 / 3}
    sim = five(clock=clock, participation=0.6)
    assert play(sim, 1).item() == pytest.approx(0.5 * np.mean([2, 4, 6]))
    assert times(sim, 1) == pytest.approx([3], abs=1e-3)
    assert notes(sim).of("outpaced") == [(1, 3), (1, 4)]


def test_a_deadline_ends_a_round(tmp_path: Path) -> None:
    sim = five(clock={**speeds(tmp_path, 1, 2, 30, 40, 50), "deadline": 10})
    assert play(sim, 1).item() == pytest.approx(0.5 * np.mean([2, 4]))
    assert times(sim, 1) == pytest.approx([10])


def test_a_lost_update_is_waited_for(tmp_path: Path) -> None:
    lost = [{"name": "drop", "probability": 1.0, "direction": "up"}]
    sim = five(clock=speeds(tmp_path, 1, 2, 3, 4, 5), faults=lost)
    play(sim, 1)
    assert times(sim, 1) == pytest.approx([5], abs=1e-3)


def test_who_goes_away_before_it_is_done_is_lost_and_who_is_not_there_is_not_asked(tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.write_text("node,start,stop\n1,0,1.5\n2,100,200\n")
    sim = five(clock={**speeds(tmp_path, 1, 2, 3, 1, 1), "availability": str(there)})
    assert play(sim, 1).item() == pytest.approx(0.5 * np.mean([2, 8, 10]))
    assert notes(sim).of("away") == [(1, 1)]
    assert set(notes(sim).by_node(1, "train_loss")) == {0, 1, 3, 4}


def test_where_nobody_is_there_time_passes_until_somebody_comes(tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.write_text("node,start,stop\n" + "".join(f"{node},{100 + node},500\n" for node in range(5)))
    sim = five(clock={**FAST, "availability": str(there)})
    play(sim, 1)
    assert times(sim, 1) == pytest.approx([101])
    assert set(notes(sim).by_node(1, "train_loss")) == {0}


# ---------------------------------------------------------------- asynchronous


def fedbuff(tmp_path: Path, *seconds: float, buffer: int = 2, **more: Any) -> Simulation:
    return five(clock=speeds(tmp_path, *seconds), algorithm=FedBuff(buffer=buffer, **{**STEP, **more}))


def test_a_buffer_takes_what_comes_first_and_weighs_what_is_late(tmp_path: Path) -> None:
    """Seconds 1, 2, 3.5, 8, 9: round 1 ends at 2 with nodes 0 and 1; both begin again, and come at 3 and 4."""
    sim = fedbuff(tmp_path, 1, 2, 3.5, 8, 9)
    first = play(sim, 1).item()
    assert first == pytest.approx(0.5 * np.mean([2, 4]))
    assert times(sim, 1) == pytest.approx([2], abs=1e-3)
    second = play(sim, 1, first=2).item()  # node 0 at 3, fresh; node 2 at 3.5, from the model of round 1
    late = 2**-0.5
    assert second == pytest.approx(first + (0.5 * (2 - first) + late * 0.5 * 6) / 2)
    assert notes(sim).values[2, "virtual_seconds", None] == pytest.approx(3.5, abs=1e-3)
    assert notes(sim).of("stale") == [(2, 2)]
    assert set(notes(sim).by_node(2, "train_loss")) == {0, 1}, "the others are still at work"


def test_what_is_too_stale_is_lost(tmp_path: Path) -> None:
    sim = fedbuff(tmp_path, 1, 1, 1.5, 9, 9, max_staleness=0)
    play(sim, 2)
    assert notes(sim).of("late") == [(2, 2)]


def test_time_passes_where_all_at_work_were_silent_while_others_are_idle(tmp_path: Path) -> None:
    """Nobody speaks in rounds 1 and 3; of the three updates of round 2 one is kept for round 4."""
    clock, trigger = speeds(tmp_path, 1, 1, 1, 1, 1), {"name": "periodic", "every": 2}
    sim = five(clock=clock, trigger=trigger, algorithm=FedBuff(buffer=2, **STEP), participation=0.6)
    x = play(sim, 4).flatten()
    assert [x[0] == 0, x[0] == x[1], x[1] == x[2], x[2] == x[3]] == [True, False, True, False]
    assert times(sim, 4) == pytest.approx([1, 2, 3, 4], abs=1e-3)
    assert [len(notes(sim).by_node(round, "train_loss")) for round in range(1, 5)] == [3] * 4
    assert len(notes(sim).of("stale")) == 1


class TwoArrive(Weather):
    """Of the uploads of round 1, those of nodes 1 and 2 arrive alone."""

    def uploads(self, round: int, nodes_K: IntArray) -> BoolArray:
        return (round > 1) | np.isin(nodes_K, [1, 2])


def test_what_has_come_is_kept_until_the_buffer_is_full(tmp_path: Path) -> None:
    """In round 1 two come, and all are asked again after the slowest; node 0 comes next, after another second."""
    sim = fedbuff(tmp_path, 1, 2, 3, 4, 5, buffer=3)
    sim.weather = TwoArrive((), 1)
    late = 2**-0.5
    assert play(sim, 2).flatten().tolist() == pytest.approx([0, (late * 2 + late * 3 + 1) / 3])
    assert times(sim, 2) == pytest.approx([5, 6], abs=1e-3)
    assert notes(sim).of("stale") == [(2, 1), (2, 2)]


def test_with_a_buffer_for_all_it_is_fedavg_without_the_samples_weights() -> None:
    models = [play(five(algorithm=algorithm), 3) for algorithm in (FedBuff(buffer=5, **STEP), FedAvg(**STEP))]
    np.testing.assert_allclose(*models, rtol=1e-6)


def test_asynchronous_runs_go_on_from_a_checkpoint(tmp_path: Path) -> None:
    sims = [fedbuff(tmp_path, 1, 2, 3.5, 8, 9) for _ in range(2)]
    play(sims[0], 3)
    state = {key: value.clone() for key, value in sims[0].state().items()}
    sims[1].restore(state)
    assert play(sims[1], 3, first=4).tolist() == play(sims[0], 3, first=4).tolist()
    assert sims[1].pace is not None
    assert sims[0].pace is not None
    assert sims[1].pace.now == sims[0].pace.now


class OnDevice(torch.Tensor):
    """A tensor that numpy does not see, as of a GPU."""

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def cpu(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        return self.as_subclass(torch.Tensor)


def test_a_state_on_another_device_is_one_to_go_on_from() -> None:
    before, after = (Pace(VirtualClock(), nodes=2, seed=1, awaited=2) for _ in range(2))
    before.free_N[1] = 7.0
    after.restore({name: value.as_subclass(OnDevice) for name, value in before.state().items()})
    assert after.free_N.tolist() == [0.0, 7.0]


def test_asynchrony_saves_time_where_nodes_differ() -> None:
    clock = {"compute": 1e-3, "speed_spread": 1.5, "latency": 0.0}
    losses, seconds = [], []
    for algorithm in (FedBuff(buffer=4), FedAvg()):
        sim = simulation(problem=Blobs(samples=96), nodes=16, algorithm=algorithm, clock=clock, seed=2)
        play(sim, 15)
        losses.append(sim.measure(15)["test_loss"])
        seconds.append(times(sim, 15)[-1])
    assert seconds[0] < seconds[1] / 2
    assert losses[0] < 1.2


def test_without_a_clock_nodes_differ_in_their_samples_alone() -> None:
    sim = simulation(problem=Blobs(samples=96), nodes=4, partition="quantity", algorithm=FedBuff(buffer=1))
    play(sim, 1)
    smallest = int(np.argmin([len(shard) for shard in sim.run.data.shards]))
    assert sim.pace is not None
    assert smallest not in [int(packet.nodes_K[0]) for _, packet in sim.pace.flying]


def test_peers_wait_for_the_slowest(tmp_path: Path) -> None:
    peers = {"algorithm": "dsgd", "topology": "cycle", **line(2.0, 4.0, 6.0)}
    sim = simulation(**peers, clock=speeds(tmp_path, 1, 2, 3))
    play(sim, 2)
    assert times(sim, 2) == pytest.approx([3, 6], abs=1e-3)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nodes,compute\n0,1\n", "have the columns node,compute,up,down,latency"),
        ("node,compute\n7,1\n", "nodes 0..4 and numbers that are not negative in line 2"),
        ("node,compute\n0,1\n1,-1\n", "in line 3"),
        ("node,compute\n0,0\n", "in line 2"),
        ("node,compute\n0.5,1\n", "in line 2"),
        ("node,compute\n0,fast\n", "in line 2"),
        ("node,compute\n,1\n", "in line 2"),
    ],
)
def test_a_file_that_cannot_be_meant(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "nodes.csv").write_text(content)
    with pytest.raises(InputError, match=said):
        VirtualClock(nodes=str(tmp_path / "nodes.csv")).machines(5, seed=1)


def test_times_that_end_before_they_begin(tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("node,start,stop\n1,5,5\n")
    with pytest.raises(InputError, match="have times that end after they begin"):
        VirtualClock(availability=str(tmp_path / "there.csv")).available(5)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"clock.nodes must name a CSV file"):
        five(clock={"nodes": "nowhere.csv"})


@pytest.mark.parametrize(
    ("clock", "algorithm"),
    [
        ({"over_selection": 2.0}, {"name": "fedbuff"}),
        ({"deadline": 2.0}, {"name": "fedbuff"}),
        ({"deadline": 2.0}, {"name": "dsgd"}),
        ({"availability": "a.csv"}, {"name": "dsgd"}),
    ],
)
def test_what_a_clock_offers_to_those_who_wait_for_all_alone(clock: dict[str, Any], algorithm: dict[str, Any]) -> None:
    topology = "cycle" if algorithm["name"] == "dsgd" else "star"
    with pytest.raises(InputError, match=rf"clock.{next(iter(clock))} must be left out with {algorithm['name']}"):
        Experiment(problem="digits", algorithm=algorithm, topology=topology, clock=clock)


def test_rows_of_a_machine_that_a_file_does_not_name_keep_their_values(tmp_path: Path) -> None:
    (tmp_path / "nodes.csv").write_text("node,compute,up\n1,,3\n")
    machines = VirtualClock(compute=0.5, nodes=str(tmp_path / "nodes.csv")).machines(2, seed=1)
    assert machines.compute_N.tolist() == [0.5, 0.5]
    assert machines.up_N.tolist() == [10.0, 3.0]
    assert torch.tensor(machines.latency_N).tolist() == [0.05, 0.05]
