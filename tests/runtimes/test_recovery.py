"""Nodes that go and come back in a simulation: what the others make of their samples, and what that costs."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.codecs import Payload
from holdfast.packet import Packet
from holdfast.recovery import HARDEST
from holdfast.runtimes.debug import Debug
from holdfast.runtimes.recovery import note_reports
from holdfast.runtimes.simulation import Simulation

from ..tiny import Blobs, Cut, Line, Notes, notes, play, simulation

STEP: dict[str, Any] = {"local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}
TARGETS = (2.0, 4.0, 6.0, 8.0, 10.0, 18.0)
AWAY = [{"name": "crash", "node": 1, "at_round": 2, "back_at": 4}]
SAMPLE = 8
"""The bytes of a sample of a line: its input and its target."""
both = pytest.mark.parametrize("runtime", [Simulation, Debug])


def line(runtime: type[Simulation] = Simulation, **fields: Any) -> Simulation:
    """Three nodes with the targets (2, 4), (6, 8, 10) and (18); a step of all at once is one of gradient descent."""
    problem = Line(inputs=((1.0,),) * 6, targets=TARGETS)
    tiny = {"problem": problem, "nodes": 3, "partition": Cut(sizes=(2, 3, 1)), "engine": "sequential"}
    return simulation(runtime, **{**tiny, "algorithm": FedAvg(**STEP), **fields})


def descended(*means: float) -> list[float]:
    """The models from 0 after steps that each go half the way to the mean of some targets."""
    models = [0.0]
    for mean in means:
        models.append(models[-1] + 0.5 * (mean - models[-1]))
    return models[1:]


# ---------------------------------------------------------------- the model


@both
def test_without_recovery_the_samples_are_missed(runtime: type[Simulation]) -> None:
    models = play(line(runtime, faults=AWAY), 4).flatten()
    assert models == pytest.approx(descended(8, 8, 8, 8))  # (2 + 4 + 18) / 3 is 8 as well
    lopsided = play(line(runtime, faults=[{**AWAY[0], "node": 2}]), 4).flatten()
    assert lopsided == pytest.approx(descended(8, 6, 6, 8))


@both
@pytest.mark.parametrize("kind", ["shard", "repartition"])
def test_training_goes_on_as_if_nobody_had_gone(kind: str, runtime: type[Simulation]) -> None:
    for node in range(3):
        partition = "iid" if kind == "repartition" else Cut(sizes=(2, 3, 1))
        sim = line(runtime, partition=partition, faults=[{**AWAY[0], "node": node}], recovery=kind)
        assert play(sim, 4).flatten() == pytest.approx(descended(8, 8, 8, 8)), node


@both
def test_the_hardest_samples_of_a_lost_node_live_on(runtime: type[Simulation]) -> None:
    """Node 1, at 4 after its step from 0, has the greatest loss on 10; at 4 it has gone half the way to 8."""
    recovery = {"kind": "most_representative", "samples": 1}
    sim = line(runtime, faults=AWAY, recovery=recovery)
    first, second, third, fourth = play(sim, 4).flatten()
    with_ten = (2 + 4 + 10 + 18) / 4
    assert [first, second, third] == pytest.approx(descended(8, with_ten, with_ten))
    assert fourth == pytest.approx(third + 0.5 * (8 - third))
    assert sim.server.reported_Nn[:, 0].tolist() == [0, 4, 5]


def test_reports_of_every_other_round_are_of_those_rounds() -> None:
    """The hardest sample of node 0 is 4 from below, and 2 from above."""
    recovery = {"kind": "most_representative", "samples": 1, "track_every": 2}
    sim = line(recovery=recovery)
    play(sim, 1)
    for round, reported in ((1, 1), (2, 1), (3, 0)):
        assert sim.server.reported_Nn[0].tolist() == [reported]
        sent = [notes(sim).by_node(round, "bytes_up")[node] for node in range(3)]
        assert sent == [4 + 4] * 3 if round != 2 else sent == [4] * 3
        play(sim, 1, first=round + 1)


def test_a_node_that_is_lost_from_the_start_has_reported_nothing() -> None:
    sim = line(faults=[{**AWAY[0], "node": 2, "at_round": 1}], recovery="most_representative")
    assert play(sim, 2).flatten() == pytest.approx(descended(6, 6))
    assert notes(sim).of("recovered") == []


def test_silent_nodes_report_with_what_they_say_next() -> None:
    trigger = {"name": "periodic", "every": 2}
    sim = line(trigger=trigger, recovery={"kind": "most_representative", "samples": 1})
    play(sim, 1)
    assert len(sim.server.reported_Nn) == 0 or (sim.server.reported_Nn == -1).all()
    play(sim, 1, first=2)
    assert (sim.server.reported_Nn >= 0).all()


# ---------------------------------------------------------------- what is recorded


def events(sim: Simulation) -> list[tuple[int, str, int | None, dict[str, Any]]]:
    return [(e.round, e.kind, e.node, e.detail) for e in notes(sim).noted if e.kind in ("recovered", "reclaimed")]


def test_a_shard_moves_once_and_goes_back_for_nothing() -> None:
    sim = line(faults=AWAY, recovery="shard")
    play(sim, 4)
    assert events(sim) == [
        (2, "recovered", 1, {"how": "shard", "samples": 3, "receivers": 2}),
        (4, "reclaimed", 1, {"samples": 3}),
    ]
    model, word = 4, 4
    down = [notes(sim).by_node(round, "bytes_down") for round in (1, 2, 3, 4)]
    assert sorted(size - model - word for size in down[1].values()) == [SAMPLE, 2 * SAMPLE]
    assert down[0] == down[3] == dict.fromkeys(range(3), model)
    assert down[2] == {0: model + word, 2: model + word}
    assert notes(sim).values[2, "bytes_down", None] == sum(down[1].values())


def test_when_another_one_goes_its_samples_and_those_it_held_move() -> None:
    sim = line(faults=[{**AWAY[0]}, {"name": "crash", "node": 2, "at_round": 3}], recovery="shard")
    play(sim, 4)
    assert [event[:3] for event in events(sim)] == [(2, "recovered", 1), (3, "recovered", 2), (4, "reclaimed", 1)]
    held_K = sim.run.assignment({1: ()}).held
    before = len(held_K[0]) - 2  # of node 1's three samples
    (third,) = notes(sim).by_node(3, "bytes_down").values()
    assert third == 4 + 2 * 4 + SAMPLE * (3 - before + 1)
    fourth = notes(sim).by_node(4, "bytes_down")
    assert sum(fourth.values()) == 2 * (4 + 4) + (SAMPLE if len(sim.run.assignment({2: ()}).held.get(1, ())) else 0)


def test_the_reported_samples_are_told_and_counted() -> None:
    sim = line(faults=AWAY, recovery={"kind": "most_representative", "samples": 2})
    play(sim, 3)
    assert events(sim) == [(2, "recovered", 1, {"how": "most_representative", "samples": 2, "receivers": 2})]
    told = 4 + 2 * 4  # who is gone, and what it reported
    assert notes(sim).by_node(2, "bytes_down") == {0: 4 + told + SAMPLE, 2: 4 + told + SAMPLE}
    assert notes(sim).by_node(3, "bytes_down") == {0: 4 + told, 2: 4 + told}
    assert set(notes(sim).by_node(1, "bytes_up").values()) == {4 + 2 * 4}


def test_what_is_not_a_nodes_own_is_dropped() -> None:
    sim = line(recovery={"kind": "most_representative", "samples": 2})
    payloads = {
        "x": Payload({"values": torch.ones(2, 1)}, 1),
        HARDEST: Payload({"values": torch.tensor([[2, 0], [2**31 - 1, -9]], dtype=torch.int32)}, 2),
    }
    packet = Packet(3, np.array([1, 2]), payloads, torch.ones(2), torch.zeros(2))
    (left,) = note_reports(sim.run, sim.server, 3, [packet], sim.log)
    assert list(left.payloads) == ["x"]
    assert sim.server.reported_Nn.tolist() == [[-1, -1], [2, -1], [-1, -1]]
    dropped = [(event.kind, event.node, event.detail) for event in cast(Notes, sim.log).noted]
    assert dropped == [("dropped", 1, {"wrong_samples": 1}), ("dropped", 2, {"wrong_samples": 2})]


def test_a_later_report_is_kept_whatever_comes_first() -> None:
    sim = line(recovery={"kind": "most_representative", "samples": 1})

    def packet(round: int, sample: int) -> Packet:
        payloads = {HARDEST: Payload({"values": torch.tensor([[sample]], dtype=torch.int32)}, 1)}
        return Packet(round, np.array([0]), payloads, torch.ones(1), torch.zeros(1))

    note_reports(sim.run, sim.server, 3, [packet(3, 1), packet(2, 0)], sim.log)
    assert sim.server.reported_Nn[0].tolist() == [1]


# ---------------------------------------------------------------- with everything else


@pytest.mark.parametrize("kind", ["shard", "most_representative", "repartition"])
@pytest.mark.parametrize("stop", [2, 3])
def test_a_checkpoint_while_somebody_is_gone(kind: str, stop: int) -> None:
    fields: dict[str, Any] = {"problem": Blobs(samples=96), "partition": "dirichlet", "nodes": 6, "faults": AWAY}
    fields |= {"algorithm": {"name": "fedavg", "batch_size": 6}, "recovery": {"kind": kind, "samples": 4}}
    whole, first, second = simulation(**fields), simulation(**fields), simulation(**fields)
    expected = play(whole, 5)
    play(first, stop)
    second.restore({key: value.clone() for key, value in first.state().items()})
    assert (play(second, 5 - stop, first=stop + 1) == expected[stop:]).all()
    for round in range(stop + 1, 6):
        assert notes(second).by_node(round, "bytes_down") == notes(whole).by_node(round, "bytes_down")
    assert [event for event in events(whole) if event[0] > stop] == events(second)
    assert (expected != play(simulation(**{**fields, "recovery": "none"}), 5)).any()


@pytest.mark.parametrize("kind", ["shard", "most_representative", "repartition"])
def test_both_runtimes_and_both_engines_agree(kind: str) -> None:
    fields: dict[str, Any] = {"problem": Blobs(samples=96), "partition": "quantity", "nodes": 6}
    faults = [*AWAY, {"name": "drop", "probability": 0.2}, {"name": "delay", "probability": 0.3}]
    fields |= {"faults": faults, "recovery": {"kind": kind, "samples": 4}}
    fields |= {"algorithm": {"name": "fedavg", "batch_size": 6, "max_staleness": 1}}
    expected = play(simulation(**fields, engine="stacked", chunk_rows=4), 5)
    np.testing.assert_allclose(
        play(simulation(Debug, **fields, engine="sequential"), 5), expected, rtol=1e-5, atol=1e-5
    )
