"""What the coordinator tells the nodes: to whom, in how many bytes, and what they make of it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.message import Message
from holdfast.runtimes.simulation import Simulation
from holdfast.tell import ORDER_BYTES, first_message, tell
from holdfast.triggers import Trigger
from holdfast.triggers.base import ORDER, News
from holdfast.types import BoolArray, FloatArray, IntArray, State

from .tiny import Blobs, line, notes, play, simulation

STEP = {"local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}


class Choosy(FedAvg):
    """FedAvg whose coordinator sends the model to nodes with even numbers alone, and a number to all."""

    def broadcast(self, server: State) -> Message:
        return Message({"x": server["x"], "number": torch.tensor([7.0])})

    def recipients(self, server: State, channel: str, nodes_K: IntArray) -> BoolArray:
        return (nodes_K % 2 == 0) | (channel == "number")


class InTurn(Trigger):
    """The node whose number is the round's speaks; the plan counts the reports, of which each says 1."""

    plans: ClassVar[bool] = True
    surveys: ClassVar[bool] = True

    def survey(self, inputs: Tensor, targets: Tensor, classes: int | None, seed: int) -> Tensor:
        return torch.tensor([float(len(inputs)), 1.0])

    def plan(self, state: State, round: int, news: News) -> tuple[State, FloatArray]:
        rounds = state.get("rounds", torch.tensor(0)) + 1
        reported = float(news.reports_NR[:, 1].sum())
        return {"rounds": rounds, "reported": torch.tensor(reported)}, np.full(len(news.losses_N), round % 5.0)

    def speakers(
        self, state: State, round: int, x_KD: Tensor, reference_KD: Tensor, losses_K: Tensor
    ) -> tuple[State, Tensor]:
        self.seen.append(state[ORDER].tolist())
        return {}, torch.arange(len(x_KD)) == int(state[ORDER][0])

    seen: ClassVar[list[Any]] = []


def five(**fields: Any) -> Simulation:
    return simulation(**{"algorithm": FedAvg(**STEP), **line(2.0, 4.0, 6.0, 8.0, 10.0), **fields})


def test_who_is_not_sent_a_channel_costs_no_payload() -> None:
    sim = five(algorithm=Choosy(**STEP))
    told = tell(sim.run.parts, sim.server, 1, np.array([0, 1, 4]))
    assert told.bytes_K.tolist() == [4 + 4, 4, 4 + 4]
    assert told.header_K[0] == told.header_K[2] > told.header_K[1]
    heard = told.message(np.array([1, 4]))
    assert heard.got("x").tolist() == [False, True]
    assert heard.got("number").tolist() == [True, True]
    assert heard["number"].tolist() == [[7.0], [7.0]]


def test_everybody_hears_what_the_codec_leaves() -> None:
    sim = simulation(problem=Blobs(), nodes=3, algorithm=FedAvg(**STEP), downlink={"name": "top_k", "fraction": 0.5})
    told = tell(sim.run.parts, sim.server, 1, sim.run.everyone)
    (model_D,) = sim.models()
    kept = model_D.abs() >= model_D.abs().sort(descending=True).values[len(model_D) // 2]
    assert (told.heard["x"] == 0).sum() == len(model_D) // 2
    assert torch.equal(told.heard["x"][told.heard["x"] != 0], model_D[told.heard["x"] != 0])
    assert kept.sum() >= (told.heard["x"] != 0).sum()
    assert told.bytes_K.tolist() == [8 * -(-len(model_D) // 2)] * 3


def test_differences_go_to_those_who_have_answered_and_whole_models_to_the_others() -> None:
    crash = [{"name": "crash", "node": 2, "at_round": 2, "back_at": 4}, {"name": "drop", "probability": 0.0}]
    downlink = {"name": "delta", "codec": {"name": "top_k", "fraction": 0.5}}
    sim = simulation(problem=Blobs(), nodes=3, algorithm=FedAvg(**STEP), downlink=downlink, faults=crash)
    columns = sim.run.engine.layout.columns
    play(sim, 5)
    sparse, whole = 8 * -(-columns // 2), 4 * columns
    down = [notes(sim).by_node(round, "bytes_down").get(2) for round in range(1, 6)]
    assert down == [sparse, None, None, whole, sparse]
    assert sim.server.holders["x"].tolist() == [0, 1, 2]


def test_nodes_hold_what_the_coordinator_believes() -> None:
    """The decoded differences, added to the first model, are what is broadcast in each round."""
    downlink = {"name": "delta", "codec": "float16"}
    sim = simulation(problem=Blobs(), nodes=3, algorithm=FedAvg(**STEP), downlink=downlink)
    held_D = first_message(sim.run.parts)["x"]
    for round in range(1, 4):
        told = tell(sim.run.parts, sim.server, round, sim.run.everyone)
        assert sim.run.parts.downlink is not None
        held_D = held_D + sim.run.parts.downlink.decode(told.coded["x"])[0]
        torch.testing.assert_close(held_D, told.heard["x"], rtol=0, atol=0)
        sim.server.algorithm = {"x": sim.server.algorithm["x"] * 1.1}


def test_a_run_with_differences_comes_close_to_one_without() -> None:
    models = {}
    for downlink in (None, {"name": "delta", "codec": [{"name": "top_k", "fraction": 0.3}]}):
        sim = simulation(problem=Blobs(), nodes=3, algorithm=FedAvg(**STEP), downlink=downlink)
        play(sim, 30)
        models[downlink is None] = sim.measure(30)["test_accuracy"]
    assert models[False] == pytest.approx(models[True], abs=0.1)


# ---------------------------------------------------------------- the plan


def test_the_plan_tells_each_node_its_order_and_rests_on_a_survey() -> None:
    InTurn.seen.clear()
    sim = five(trigger=InTurn(), algorithm=FedAvg(**STEP))
    play(sim, 3)
    assert InTurn.seen == [[1.0] * 5, [2.0] * 5, [3.0] * 5]
    assert [notes(sim).values[round, "speakers", None] for round in (1, 2, 3)] == [1, 1, 1]
    assert {name: float(value) for name, value in sim.server.plan.items()} == {"rounds": 3, "reported": 5}
    # Round 1: the survey, two float32 of each node; and the update of the node whose turn it is.
    assert notes(sim).by_node(1, "bytes_up") == {0: 8, 1: 8 + 4, 2: 8, 3: 8, 4: 8}
    assert notes(sim).by_node(2, "bytes_up") == {2: 4}
    assert set(notes(sim).by_node(2, "bytes_down").values()) == {4 + ORDER_BYTES}


def test_the_plan_goes_on_after_a_checkpoint() -> None:
    sim, other = five(trigger=InTurn()), five(trigger=InTurn())
    play(sim, 2)
    other.restore({key: value.clone() for key, value in sim.state().items()})
    assert play(other, 2, first=3).tolist() == play(sim, 2, first=3).tolist()
    assert other.server.plan["rounds"] == 4
    assert other.losses_N.tolist() == sim.losses_N.tolist()


def test_silent_nodes_say_that_they_say_nothing() -> None:
    sim = five(trigger={"name": "periodic", "every": 2})
    play(sim, 1)
    notices = notes(sim).by_node(1, "header_bytes_up")
    assert len(notices) == 5
    assert all(0 < size < 100 for size in notices.values())
    assert notes(sim).by_node(1, "bytes_up") == {}


def test_differences_are_counted_by_channel_where_not_everybody_is_sent_them() -> None:
    downlink = {"name": "delta", "codec": {"name": "top_k", "fraction": 0.5}}
    sim = simulation(problem=Blobs(), nodes=4, algorithm=Choosy(**STEP), downlink=downlink)
    columns = sim.run.engine.layout.columns
    play(sim, 2)
    assert sim.server.holders["x"].tolist() == [0, 2]
    assert "number" not in sim.server.holders, "a single number is not encoded"
    told = tell(sim.run.parts, sim.server, 3, sim.run.everyone)
    assert told.current["x"].tolist() == [True, False, True, False]
    assert told.bytes_K.tolist() == [8 * -(-columns // 2) + 4, 4] * 2
