"""What every algorithm promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from holdfast.algorithms import Algorithm, PeerAlgorithm, ServerAlgorithm
from holdfast.catalogue import build, catalogue
from holdfast.checkpoint import Checkpoint
from holdfast.cohort import Cohort
from holdfast.errors import InputError
from holdfast.packet import Packet
from holdfast.parts import ServerSide
from holdfast.round import merge_server, read, speak
from holdfast.runtimes.simulation import Simulation
from holdfast.tell import tell
from holdfast.types import State

from .contract import check_component
from .tiny import PAIRED, SUITED, Blobs, notes, play, simulation

every = pytest.mark.parametrize("name", list(catalogue("algorithms")))
servers = pytest.mark.parametrize(
    "name", [name for name, cls in catalogue("algorithms").items() if issubclass(cls, ServerAlgorithm)]
)
NODES = 5
WEATHER = [
    {"name": "drop", "probability": 0.2},
    {"name": "delay", "probability": 0.4, "rounds": 1},
    {"name": "crash", "node": 2, "at_round": 2, "back_at": 4},
    {"name": "straggle", "nodes": [1], "factor": 3},
]


class Alone(Simulation):
    """Nodes 0, 2 and 4 compute together, and so do 1 and 3."""

    def hosts(self, cohort: Cohort) -> list[Cohort]:
        halves = [np.flatnonzero(cohort.nodes_K % 2 == part) for part in (0, 1)]
        return [cohort.rows(half) for half in halves if len(half)]


def fields(name: str, **more: Any) -> dict[str, Any]:
    algorithm = build(Algorithm, {"name": name, "max_staleness": 1, **SUITED.get(name, {})})
    topology = "cycle" if isinstance(algorithm, PeerAlgorithm) else "star"
    tiny = {"problem": Blobs(batch_norm=True), "nodes": NODES, "engine": "stacked", "chunk_rows": 8}
    return {"algorithm": algorithm, "topology": topology, "seed": 3, **tiny, **more}


def stormy(name: str) -> dict[str, Any]:
    """Faults, liars, error feedback and rounds of silence: everything that remembers something."""
    inner = [{"name": "top_k", "fraction": 0.5}, "int8"]
    peers = issubclass(catalogue("algorithms")[name], PeerAlgorithm)
    codec = inner if peers else {"name": "error_feedback", "codec": inner}
    trigger = {"name": "periodic", "every": 2}
    attack = {"name": "gaussian", "nodes": [0]}
    return fields(name, faults=WEATHER, codec=codec, trigger=trigger, attack=attack)


def check_finite(state: State) -> None:
    for key, tensor in state.items():
        assert not tensor.is_floating_point() or bool(tensor.isfinite().all()), key


@every
def test_is_a_component(name: str) -> None:
    check_component(catalogue("algorithms")[name], Algorithm)


@every
def test_says_how_late_a_message_may_come(name: str) -> None:
    algorithm = build(Algorithm, name)
    waits = not isinstance(algorithm, ServerAlgorithm) or algorithm.awaits is None
    assert algorithm.max_staleness == (0 if waits else 100)
    late = {"name": name, "max_staleness": 2}
    if name in PAIRED:
        with pytest.raises(InputError, match=f"max_staleness must be 0 with {name}, in which"):
            build(Algorithm, late)
    else:
        assert build(Algorithm, late).max_staleness == 2


@every
def test_two_rounds_move_a_finite_model(name: str) -> None:
    sim = simulation(**fields(name))
    before_KD = sim.models().clone()
    play(sim, 2)
    assert sim.models().shape == before_KD.shape == (NODES if sim.run.peers else 1, sim.run.engine.layout.columns)
    assert not torch.equal(sim.models(), before_KD)
    check_finite(sim.state())
    assert not sim.diverged()


@every
def test_says_what_it_announces(name: str) -> None:
    sim = simulation(**fields(name))
    algorithm, parts = sim.run.parts.algorithm, sim.run.parts
    heard = tell(parts, sim.server, 1, sim.run.everyone) if isinstance(algorithm, ServerAlgorithm) else None
    (spoken,), _ = speak(parts, sim.nodes, [sim.run.cohort(sim.run.everyone, 1)], heard)
    assert tuple(spoken.message.channels) == algorithm.says
    said = {name: x_KD.shape for name, x_KD in spoken.message.channels.items()}
    assert said == {name: (NODES, width) for name, width in algorithm.widths(parts.layout).items()}


@every
def test_learns(name: str) -> None:
    sim = simulation(**fields(name))
    loss = "test_loss" if sim.run.peers else "personal_loss"  # of the models that nodes use themselves
    first = sim.measure(0, last=True)[loss]
    play(sim, 12)
    assert sim.measure(12, last=True)[loss] < 0.9 * first


@every
def test_a_nodes_state_has_one_row_for_each_node(name: str) -> None:
    sim = simulation(**fields(name))
    play(sim, 1)
    for key, table in sim.nodes.stores["algorithm"].state().items():
        assert len(table) == NODES, key


@every
def test_the_same_seed_gives_the_same_bits(name: str) -> None:
    first, again = (simulation(**stormy(name)) for _ in range(2))
    assert np.array_equal(play(first, 3), play(again, 3))
    assert notes(first).values == notes(again).values
    assert notes(first).noted == notes(again).noted


@every
@pytest.mark.parametrize("conditions", [fields, stormy])
def test_the_grouping_of_the_nodes_does_not_matter(name: str, conditions: Any) -> None:
    together, alone = simulation(**conditions(name)), simulation(Alone, **conditions(name))
    np.testing.assert_allclose(play(together, 4), play(alone, 4), rtol=1e-4, atol=1e-6)
    assert notes(together).noted == notes(alone).noted
    sums = {key for key in notes(together).values if "bytes" in key[1] or key[1] == "speakers"}
    assert {key: notes(together).values[key] for key in sums} == {key: notes(alone).values[key] for key in sums}
    assert together.messages == alone.messages


@every
@pytest.mark.parametrize("after", [1, 2, 3])
def test_goes_on_from_a_checkpoint_to_the_same_bits(name: str, after: int, tmp_path: Path) -> None:
    whole = simulation(**stormy(name))
    play(whole, after)
    Checkpoint("", "main", after, 0.0, {}, {}, "", whole.state()).write(tmp_path)
    rest = simulation(**stormy(name))
    rest.restore(Checkpoint.read(tmp_path).tensors)
    assert (rest.round, rest.messages) == (after, whole.messages)
    assert np.array_equal(play(whole, 4, first=after + 1), play(rest, 4, first=after + 1))
    ends = whole.state(), rest.state()
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])


@every
def test_a_checkpoint_is_not_changed_by_what_follows(name: str) -> None:
    sim = simulation(**stormy(name))
    play(sim, 2)
    state = sim.state()
    kept = {key: tensor.clone() for key, tensor in state.items()}
    play(sim, 2, first=3)
    assert all(torch.equal(state[key], kept[key]) for key in kept)


@servers
def test_the_order_of_arrival_does_not_matter(name: str) -> None:
    sim = simulation(**fields(name))
    parts, algorithm = sim.run.parts, sim.run.parts.algorithm
    assert isinstance(algorithm, ServerAlgorithm)
    packets: list[Packet] = []
    for round in (1, 2):  # the messages of round 1 come late
        cohort = sim.run.cohort(sim.run.everyone, round)
        hosts = [cohort.rows(np.array(nodes)) for nodes in ([4], [0, 3], [2], [1])]
        packets += speak(parts, sim.nodes, hosts, tell(parts, sim.server, round, sim.run.everyone))[1]

    def merged(order: list[int]) -> State:
        server = ServerSide(algorithm.start(parts.initial_D, parts.layout))
        inbox = read(parts, [packets[i] for i in order], 2, np.zeros(0, dtype=np.int64))
        assert merge_server(parts, server, inbox, 2, sim.log)
        return server.algorithm

    first, *others = (
        merged(order) for order in ([0, 1, 2, 3, 4, 5, 6, 7], [7, 6, 5, 4, 3, 2, 1, 0], [3, 6, 0, 5, 1, 7, 2, 4])
    )
    for other in others:
        assert all(torch.equal(first[key], other[key]) for key in first)


@servers
def test_a_node_takes_part_for_the_first_time_at_any_time(name: str) -> None:
    crash = [{"name": "crash", "node": 2, "at_round": 1, "back_at": 3}]
    sim = simulation(**fields(name, faults=crash))
    play(sim, 4)
    check_finite(sim.state())
    assert 2 in notes(sim).by_node(3, "bytes_up")
    assert 2 not in notes(sim).by_node(2, "bytes_up")
