from __future__ import annotations

from typing import Any, ClassVar

import networkx as nx
import numpy as np
import pytest
import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators import Aggregator
from holdfast.algorithms.decentralised.dsgd import DSGD
from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.codecs import Codec
from holdfast.inbox import ServerInbox
from holdfast.runtimes.debug import Debug
from holdfast.runtimes.simulation import Simulation
from holdfast.runtimes.weather import Weather
from holdfast.seeding import Draws
from holdfast.topologies import Topology
from holdfast.types import IntArray, State

from ..algorithms.test_dsgd import metropolis
from ..tiny import Blobs, line, notes, play, simulation

STEP: dict[str, Any] = {"local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}
both = pytest.mark.parametrize("runtime", [Simulation, Debug])


def fedavg(*targets: float, runtime: type[Simulation] = Simulation, stale: int = 0, **fields: Any) -> Simulation:
    """From 0; each node halves its distance to its target, and the coordinator takes the mean."""
    return simulation(runtime, algorithm=FedAvg(max_staleness=stale, **STEP), **{**line(*targets), **fields})


def dsgd(*targets: float, runtime: type[Simulation] = Simulation, stale: int = 0, **fields: Any) -> Simulation:
    """From 0; each node mixes, and steps half of the way from its own model to its target."""
    algorithm = DSGD(lr=0.5, batch_size=None, max_staleness=stale)
    return simulation(runtime, algorithm=algorithm, **{"topology": "cycle", **line(*targets), **fields})


# ---------------------------------------------------------------- crashes


@both
def test_a_crashed_node_is_left_out_until_it_returns(runtime: type[Simulation]) -> None:
    sim = fedavg(2.0, 8.0, runtime=runtime, faults=[{"name": "crash", "node": 1, "at_round": 2, "back_at": 4}])
    # Round 1: mean of 1 and 4. Rounds 2 and 3: node 0 alone, halfway to 2. Round 4: mean of 2 and 8, halfway.
    assert play(sim, 4).flatten().tolist() == [2.5, 2.25, 2.125, 2.125 + 0.5 * (5 - 2.125)]
    assert notes(sim).of("crash") == [(2, 1)]
    assert notes(sim).of("return") == [(4, 1)]
    for name in ("bytes_up", "bytes_down", "train_loss"):
        assert [sorted(notes(sim).by_node(round, name)) for round in (1, 2, 3, 4)] == [[0, 1], [0], [0], [0, 1]]


def test_when_everybody_is_down_nothing_happens() -> None:
    crashes = [{"name": "crash", "node": node, "at_round": 2, "back_at": 3} for node in (0, 1)]
    for sim in (fedavg(2.0, 8.0, faults=crashes), dsgd(2.0, 8.0, faults=crashes)):
        first, second, third = play(sim, 3)
        assert (first == second).all()
        assert (third != second).any()
        assert notes(sim).values[2, "bytes_up", None] == 0


def test_a_crashed_peer_neither_speaks_nor_merges_and_keeps_its_model() -> None:
    sim = dsgd(0.0, 8.0, 4.0, faults=[{"name": "crash", "node": 1, "at_round": 2, "back_at": 4}])
    x = play(sim, 4)[..., 0]
    assert x[0].tolist() == [0.0, 4.0, 2.0]
    assert x[1, 1] == x[2, 1] == 4.0
    # Nodes 0 and 2 of the triangle weigh the missing third themselves: 2/3 own + 1/3 of the other, then the step.
    assert x[1, [0, 2]].tolist() == pytest.approx([2 / 3 * 0 + 1 / 3 * 2 - 0, 2 / 3 * 2 + 1 / 3 * 0 + 1])
    assert x[3, 1] == pytest.approx(x[2].mean() + 0.5 * (8 - 4))


def test_a_peer_that_is_down_from_the_start_holds_the_first_model() -> None:
    sim = dsgd(2.0, 8.0, 4.0, faults=[{"name": "crash", "node": 1, "at_round": 1, "back_at": 3}])
    x = play(sim, 3)[..., 0]
    assert x[0].tolist() == [1.0, 0.0, 2.0]
    assert x[1, 1] == 0.0
    assert x[2, 1] == pytest.approx(x[1].mean() + 4)
    assert notes(sim).of("crash") == [(1, 1)]


# ---------------------------------------------------------------- lost messages


@both
def test_a_lost_upload_is_an_event_and_a_missing_row(runtime: type[Simulation]) -> None:
    sim = fedavg(*range(8), runtime=runtime, faults=[{"name": "drop", "probability": 0.4, "direction": "up"}])
    weather, w = Weather(sim.run.experiment.faults, sim.run.experiment.seed), 0.0
    lost = []
    for round, x in enumerate(play(sim, 4).flatten(), start=1):
        there = np.flatnonzero(weather.uploads(round, np.arange(8)))
        w += float(np.mean([0.5 * (node - w) for node in there]))
        assert x == pytest.approx(w)
        lost += [(round, node) for node in range(8) if node not in there]
        assert notes(sim).by_node(round, "bytes_up") == dict.fromkeys(range(8), 4), "what was sent counts"
    assert 0 < len(lost) < 32
    assert notes(sim).of("lost") == lost
    assert {event.detail["direction"] for event in notes(sim).noted} == {"up"}


@both
def test_who_misses_the_broadcast_does_not_work(runtime: type[Simulation]) -> None:
    sim = fedavg(*range(8), runtime=runtime, faults=[{"name": "drop", "probability": 0.4, "direction": "down"}])
    there = np.flatnonzero(Weather(sim.run.experiment.faults, sim.run.experiment.seed).reaches(1, np.arange(8)))
    assert play(sim, 1).item() == pytest.approx(there.mean() / 2)
    assert notes(sim).of("lost") == [(1, node) for node in range(8) if node not in there]
    assert {event.detail["direction"] for event in notes(sim).noted} == {"down"}
    assert notes(sim).by_node(1, "bytes_down") == dict.fromkeys(range(8), 4)
    assert sorted(notes(sim).by_node(1, "train_loss")) == there.tolist()


@pytest.mark.parametrize("direction", ["up", "down"])
def test_when_all_is_lost_the_model_stays(direction: str) -> None:
    sim = fedavg(2.0, 8.0, faults=[{"name": "drop", "probability": 1, "direction": direction}])
    assert play(sim, 2).flatten().tolist() == [0, 0]
    assert notes(sim).events["lost"] == 4
    assert notes(sim).values[1, "bytes_up", None] == (8 if direction == "up" else 0)
    assert notes(sim).events["skipped"] == 0


@both
def test_the_weight_of_a_lost_link_goes_to_oneself(runtime: type[Simulation]) -> None:
    targets = (0.0, 4.0, -2.0, 10.0, 3.0)
    faults = [{"name": "drop", "probability": 0.4}]
    sim = dsgd(*targets, topology="wheel", runtime=runtime, faults=faults)
    weather, W = Weather(sim.run.experiment.faults, sim.run.experiment.seed), metropolis(sim.run.graph(1))
    x, lost = np.zeros(5), dict[tuple[int, int | None], int]()
    for round, models in enumerate(play(sim, 4)[..., 0], start=1):
        new = np.zeros(5)
        for i in range(5):
            for j in range(5):
                link = i != j and W[i, j] > 0
                arrives = not link or weather.delivers(round, np.array([j]), np.array([i]))[0]
                new[i] += W[i, j] * (x[j] if arrives else x[i])
                lost[round, i] = lost.get((round, i), 0) + (not arrives)
            new[i] -= 0.5 * (x[i] - targets[i])
        x = new
        np.testing.assert_allclose(models, x, rtol=1e-5, atol=1e-6)
    counted = {(event.round, event.node): event.detail["messages"] for event in notes(sim).noted}
    assert counted == {key: count for key, count in lost.items() if count}


# ---------------------------------------------------------------- late messages

LATE = {"name": "delay", "probability": 1, "rounds": 1, "nodes": [1]}


@both
def test_late_messages_do_not_count_unless_allowed(runtime: type[Simulation]) -> None:
    sim = fedavg(2.0, 8.0, runtime=runtime, faults=[LATE])
    assert play(sim, 3).flatten().tolist() == [1.0, 1.5, 1.75]
    assert notes(sim).of("late") == [(2, 1), (3, 1)]
    assert [event.detail for event in notes(sim).noted] == [{"staleness": 1}] * 2
    assert notes(sim).by_node(1, "bytes_up") == {0: 4, 1: 4}


@both
def test_a_stale_update_enters_the_round_in_which_it_comes(runtime: type[Simulation]) -> None:
    sim = fedavg(2.0, 8.0, runtime=runtime, stale=1, faults=[LATE])
    w, expected, due = 0.0, [], list[float]()
    for _ in range(4):
        updates = [0.5 * (2 - w), *due]
        due = [0.5 * (8 - w)]
        w += float(np.mean(updates))
        expected.append(w)
    assert play(sim, 4).flatten().tolist() == pytest.approx(expected)
    assert notes(sim).of("stale") == [(2, 1), (3, 1), (4, 1)]
    assert notes(sim).events["late"] == 0


class Once(Weather):
    """What node 1 sends in round 1 is late by two rounds, and nothing else ever is."""

    def lateness(self, round: int, nodes_K: IntArray) -> IntArray:
        return np.where((nodes_K == 1) & (round == 1), 2, 0).astype(np.int64)


def test_two_messages_of_one_node_can_meet() -> None:
    sim = fedavg(2.0, 8.0, stale=2)
    sim.weather = Once((), 1)
    first, second, third = play(sim, 3).flatten().tolist()
    assert first == 1.0
    assert second == first + (0.5 + 3.5) / 2
    assert third == pytest.approx(second + (0.5 * (2 - second) + 0.5 * (8 - second) + 4.0) / 3)


@both
def test_among_peers_the_newest_message_counts(runtime: type[Simulation]) -> None:
    sims = [dsgd(0.0, 8.0, 4.0, runtime=runtime, stale=stale) for stale in (0, 2)]
    for sim in sims:
        sim.weather = Once((), 1)
    without, allowed = (play(sim, 3) for sim in sims)
    assert np.array_equal(without, allowed), "the message of round 1 counts in round 3"
    assert [sim.log.events for sim in sims] == [{"late": 1}, {"stale": 1}]


@both
@pytest.mark.parametrize("stale", [0, 1])
def test_late_peers(runtime: type[Simulation], stale: int) -> None:
    targets, W = (0.0, 8.0, 4.0), np.full((3, 3), 1 / 3)
    sim = dsgd(*targets, runtime=runtime, stale=stale, faults=[LATE])
    x, before = np.zeros(3), None
    for models in play(sim, 4)[..., 0]:
        new = np.zeros(3)
        for i in range(3):
            for j in range(3):
                heard = x[j] if j != 1 or i == 1 else (before if before is not None and stale else x[i])
                new[i] += W[i, j] * heard
            new[i] -= 0.5 * (x[i] - targets[i])
        before, x = x[1], new
        np.testing.assert_allclose(models, x, rtol=1e-5, atol=1e-6)
    assert notes(sim).of("stale" if stale else "late") == [(2, 1), (3, 1), (4, 1)]
    assert [notes(sim).by_node(round, "bytes_up") for round in (1, 2)] == [{0: 8, 1: 8, 2: 8}] * 2


# ---------------------------------------------------------------- slow nodes


@both
def test_a_straggler_does_its_share_of_the_steps(runtime: type[Simulation]) -> None:
    algorithm = FedAvg(**{**STEP, "local_steps": 4})
    faults = [{"name": "straggle", "nodes": [1], "factor": 2}]
    sim = simulation(runtime, algorithm=algorithm, faults=faults, **line(16.0, 16.0))
    # Node 0 halves its distance four times, node 1 twice.
    assert play(sim, 1).item() == pytest.approx(16 - (1 + 4) / 2)
    assert [(event.round, event.kind, event.node, event.detail) for event in notes(sim).noted] == [
        (1, "straggle", 1, {"work": 0.5})
    ]


# ---------------------------------------------------------------- asking the silent


class Quorum(FedAvg):
    """FedAvg whose coordinator asks one silent node after another until it has heard enough."""

    asks: ClassVar[bool] = True

    quorum: int = Field(3, description="how many rows are enough")

    def ask(self, server: State, inbox: ServerInbox) -> IntArray:
        silent = np.setdiff1d(np.arange(5), inbox.nodes_M)
        return silent[:1] if len(inbox.nodes_M) < self.quorum else silent[:0]


def quorum(runtime: type[Simulation] = Simulation, **fields: Any) -> Simulation:
    mute = {"name": "periodic", "every": 1000}
    more = {"algorithm": Quorum(keep_local=True, **STEP), "trigger": mute, "rounds": 1000}
    return simulation(runtime, **{**more, **line(2.0, 4.0, 6.0, 8.0, 10.0), **fields})


@both
def test_the_coordinator_asks_the_silent(runtime: type[Simulation]) -> None:
    sim = quorum(runtime)
    assert play(sim, 1).item() == pytest.approx((1 + 2 + 3) / 3)
    assert notes(sim).by_node(1, "bytes_up") == {0: 4, 1: 4, 2: 4}
    assert notes(sim).values[1, "bytes_up", None] == 12
    assert notes(sim).values[1, "speakers", None] == 3
    # Who was asked has sent its work and starts from the broadcast, 2; nodes 3 and 4 go on from their own models.
    assert sim.nodes.stores["algorithm"].take(np.arange(5))["unsent"].tolist() == [False] * 3 + [True] * 2
    assert play(sim, 1, first=2).item() == pytest.approx(2 + (0 + 1 + 2) / 3)


def test_asking_ends_where_nobody_answers() -> None:
    sim = quorum(faults=[{"name": "crash", "node": 1, "at_round": 1}])
    assert play(sim, 1).item() == pytest.approx(1), "node 0 alone: node 1 never answers"
    lost = quorum(faults=[{"name": "drop", "probability": 1, "direction": "up"}])
    assert play(lost, 1).item() == 0
    assert notes(lost).of("lost") == [(1, 0)]


def test_an_answer_on_its_way_is_not_asked_for_twice() -> None:
    sim = quorum(algorithm=Quorum(max_staleness=1, **STEP), faults=[{**LATE, "nodes": [0]}])
    play(sim, 1)
    assert notes(sim).by_node(1, "bytes_up") == {0: 4}
    assert [len(packet) for _, packet in sim.transit] == [1]


def test_nobody_is_asked_who_has_spoken() -> None:
    sim = quorum(trigger={"name": "periodic", "every": 1}, algorithm=Quorum(quorum=9, **STEP))
    assert play(sim, 1).item() == pytest.approx(3)
    assert notes(sim).by_node(1, "bytes_up") == dict.fromkeys(range(5), 4)


# ---------------------------------------------------------------- bytes


@both
@pytest.mark.parametrize("codec", [None, "float16", "int8", [{"name": "top_k", "fraction": 0.1}, "int8"]])
def test_bytes_are_what_the_codec_says(runtime: type[Simulation], codec: Any) -> None:
    sim = simulation(
        runtime, algorithm="fedavg", problem=Blobs(), nodes=5, engine="sequential", participation=0.6, codec=codec
    )
    play(sim, 2)
    D = sim.run.engine.layout.columns
    row = 4 * D
    if sim.run.experiment.codec is not None:
        row = encoded_bytes(sim.run.experiment.codec, D)
    for round in (1, 2):
        assert list(notes(sim).by_node(round, "bytes_up").values()) == [row] * 3
        assert list(notes(sim).by_node(round, "bytes_down").values()) == [4 * D] * 3
        assert notes(sim).values[round, "bytes_up", None] == 3 * row
        assert notes(sim).values[round, "bytes_down", None] == 12 * D
        for way in ("up", "down"):
            headers = notes(sim).by_node(round, f"header_bytes_{way}").values()
            assert notes(sim).values[round, f"header_bytes_{way}", None] == sum(headers) > 0
        assert notes(sim).values[round, "speakers", None] == 3
    assert sim.messages == 2 * (3 + 3)


def encoded_bytes(codec: Codec, columns: int) -> int:
    draws = Draws(1, "codec", np.array([0]), 1)
    payload = codec.encode(codec.start(1, columns), torch.randn(1, columns), draws)[1]
    return sum(len(tensor.numpy().tobytes()) for tensor in payload.tensors.values())


@both
def test_peers_count_a_row_for_each_link(runtime: type[Simulation]) -> None:
    crash = [{"name": "crash", "node": 3, "at_round": 2}]
    sim = dsgd(1.0, 2.0, 3.0, 4.0, topology="star", runtime=runtime, faults=crash)
    play(sim, 2)
    assert notes(sim).by_node(1, "bytes_up") == notes(sim).by_node(1, "bytes_down") == {0: 12, 1: 4, 2: 4, 3: 4}
    # The centre does not know that node 3 is down.
    assert notes(sim).by_node(2, "bytes_up") == {0: 12, 1: 4, 2: 4}
    assert notes(sim).by_node(2, "bytes_down") == {0: 8, 1: 4, 2: 4}
    assert notes(sim).values[2, "bytes_up", None] == 20
    assert sim.messages == 6 + 5


def test_a_silent_round_sends_nothing() -> None:
    sim = fedavg(1.0, 2.0, trigger={"name": "periodic", "every": 2})
    play(sim, 2)
    assert [notes(sim).values[round, "bytes_up", None] for round in (1, 2)] == [0, 8]
    assert [notes(sim).values[round, "speakers", None] for round in (1, 2)] == [0, 2]
    assert [notes(sim).values[round, "bytes_down", None] for round in (1, 2)] == [8, 8]


# ---------------------------------------------------------------- peers under attack


@both
def test_a_robust_rule_runs_over_each_neighbourhood(runtime: type[Simulation]) -> None:
    targets = (0.0, 4.0, -2.0, 10.0, 3.0, 7.0)
    attack = {"name": "sign_flip", "nodes": [2], "scale": 5.0}
    sim = dsgd(*targets, topology="wheel", aggregator="median", attack=attack, runtime=runtime)
    graph, x = sim.run.graph(1), np.zeros(6)

    def mixed(i: int) -> float:
        others = [-5 * x[j] if j == 2 else x[j] for j in graph.neighbors(i)]
        ordered = sorted([x[i], *others])
        half = len(ordered) // 2
        return float(ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2)

    for models in play(sim, 4)[..., 0]:
        x = np.array([mixed(i) - 0.5 * (x[i] - targets[i]) for i in range(6)])
        np.testing.assert_allclose(models, x, rtol=1e-5, atol=1e-6)


@both
@pytest.mark.parametrize("nodes", [4, 12])
def test_a_nan_reaches_the_neighbours_alone(runtime: type[Simulation], nodes: int) -> None:
    sim = dsgd(*range(nodes), runtime=runtime, attack={"name": "nan", "nodes": [0]})
    first, second = play(sim, 2)[..., 0]
    assert np.flatnonzero(~np.isfinite(first)).tolist() == [1, nodes - 1]
    assert set(np.flatnonzero(~np.isfinite(second))) <= {0, 1, 2, nodes - 1, nodes - 2}


# ---------------------------------------------------------------- checkpoints


class Momentum(Aggregator):
    """A rule that remembers: half of what it said last, and the mean."""

    def aggregate(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor]:
        x_D = x_MD.mean(-2) + 0.5 * state.get("last", torch.zeros(x_MD.shape[-1]))
        return {"last": x_D}, x_D


def test_a_rules_memory_outlasts_a_checkpoint() -> None:
    whole, rest = (fedavg(2.0, 8.0, aggregator=Momentum()) for _ in range(2))
    assert play(whole, 2).flatten().tolist() == [2.5, 2.5 + 1.25 + 1.25]
    rest.restore(whole.state())
    assert np.array_equal(play(whole, 2, first=3), play(rest, 2, first=3))


# ---------------------------------------------------------------- divergence


def test_a_broken_model_is_seen_to_diverge() -> None:
    sim = fedavg(1.0, 2.0, 3.0, attack={"name": "nan", "nodes": [1]})
    assert not sim.diverged()
    play(sim, 1)
    assert sim.diverged()


def test_peers_diverge_when_every_honest_one_has() -> None:
    attacked: dict[str, Any] = {"attack": {"name": "nan", "nodes": [0]}}
    sim = dsgd(*range(6), **attacked)
    play(sim, 1)
    assert not sim.diverged(), "three honest peers are sound"
    everybody = dsgd(*range(6), topology="complete", **attacked)
    play(everybody, 1)
    assert everybody.diverged()


def test_a_model_that_grows_without_bound_diverges() -> None:
    sim = simulation(
        algorithm={"name": "robust_sgd", "batch_size": None, "optimizer": {"name": "sgd", "lr": 1e20}},
        **line(1.0, 3.0),
    )
    found: list[bool] = []
    for round in range(1, 4):
        sim.step(round)
        found.append(sim.diverged())
    assert found == [False, True, True]


@both
def test_a_late_row_comes_to_nobody_to_whom_it_was_not_sent(runtime: type[Simulation]) -> None:
    # What 0 says in round 1 goes to 2 and comes in round 2, when 0 speaks to 1.
    algorithm = DSGD(lr=0.5, batch_size=None, max_staleness=1, order="adapt_then_combine")
    late: dict[str, Any] = {
        "topology": "one_peer_exponential",
        "faults": [{"name": "delay", "nodes": [0], "probability": 1.0}],
    }
    sim = simulation(runtime, algorithm=algorithm, **line(8, 0, 0, 0), **late)
    assert [sorted(sim.run.graph(round).successors(0)) for round in (1, 2)] == [[2], [1]]
    assert play(sim, 2).squeeze(-1).tolist() == [[2, 0, 0, 0], [2.5, 0, 0, 0]]


def test_bytes_go_to_whom_a_node_speaks_and_not_to_whom_it_hears() -> None:
    class Fan(Topology):
        """Node 0 speaks to all others, and only 1 speaks to it."""

        def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
            return nx.DiGraph([(0, 1), (0, 2), (0, 3), (1, 0), (2, 3), (3, 2), (2, 1)])

    sim = simulation(algorithm="dsgd", topology=Fan(), **line(1, 2, 3, 4))
    play(sim, 1)
    row = 4
    assert notes(sim).by_node(1, "bytes_up") == {0: 3 * row, 1: row, 2: 2 * row, 3: row}
    assert notes(sim).by_node(1, "bytes_down") == {0: row, 1: 2 * row, 2: 2 * row, 3: 2 * row}
