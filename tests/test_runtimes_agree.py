"""Every algorithm gives the same models in every runtime, with every engine.

A runtime is a function from an experiment's fields and a number of rounds to the models after them. The simulation on
the stacked engine is what the others are held to; a further runtime is one more entry of `RUNTIMES`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from holdfast.algorithms import PeerAlgorithm
from holdfast.catalogue import catalogue
from holdfast.runtimes.debug import Debug
from holdfast.runtimes.rounds import TOTALS
from holdfast.runtimes.simulation import Simulation
from holdfast.types import FloatArray

from .runtimes.network.cluster import cluster
from .tiny import SUITED, Blobs, notes, play, simulation

Fields = dict[str, Any]
Runtime = Callable[[Fields, int], FloatArray]


def in_process(runtime: type[Simulation], **engine: Any) -> Runtime:
    """A runtime inside this process, on an engine."""
    return lambda fields, rounds: play(simulation(runtime, **fields, **engine), rounds)[-1]


REFERENCE = in_process(Simulation, engine="stacked", chunk_rows=64)
RUNTIMES: dict[str, Runtime] = {
    "simulation-in-chunks": in_process(Simulation, engine="stacked", chunk_rows=3),
    "simulation-sequential": in_process(Simulation, engine="sequential"),
    "debug-stacked": in_process(Debug, engine="stacked", chunk_rows=64),
    "debug-sequential": in_process(Debug, engine="sequential"),
}

LOSSES = [
    {"name": "crash", "node": 3, "at_round": 2, "back_at": 4},
    {"name": "drop", "probability": 0.15},
    {"name": "delay", "probability": 0.3, "nodes": [1, 5]},
    {"name": "straggle", "nodes": [2], "factor": 2},
]
MOMENTUM = {"name": "momentum"}
"""A stage for updates, which peers do not send."""
CONDITIONS: dict[str, Fields] = {
    "calm": {},
    "batch_norm": {"problem": Blobs(batch_norm=True, samples=96)},
    "quiet": {"trigger": {"name": "periodic", "every": 2}},
    "losses": {
        "faults": LOSSES,
        "attack": {"name": "sign_flip", "nodes": [0]},
        "codec": {"name": "top_k", "fraction": 0.6},
    },
    "both_ways": {  # differences on the way down, rows of different lengths on the way up
        "faults": LOSSES,
        "codec": {"name": "threshold", "tau": 0.02},
        "downlink": {"name": "delta", "codec": {"name": "top_k", "fraction": 0.7}},
    },
    "recovering": {"faults": LOSSES, "recovery": "shard"},
    "remembering": {  # what nodes and rules remember and draw: momenta, groups, stale updates
        "attack": {"name": "stale", "nodes": [0], "from_round": 2},
        "aggregator": [MOMENTUM, {"name": "bucketing", "s": 2}, {"name": "centered_clipping", "tau": 0.1}],
    },
    "storm": {
        "faults": LOSSES,
        "attack": {"name": "alie", "nodes": [0]},
        # No rounding codec: where two runtimes differ in the last bit, it may round them apart.
        "codec": [{"name": "top_k", "fraction": 0.6}, {"name": "top_k", "fraction": 0.8}],
        "aggregator": {"name": "trimmed_mean", "f": 1},
    },
}
FEW_TO_HEAR = ("centralised", "gossip", "solo")
"""Of which a node hears one other at most, too few for the rules above."""
ROUNDS = 4
every = pytest.mark.parametrize("algorithm", catalogue("algorithms"))


def fields(algorithm: str, conditions: str) -> Fields:
    """Eight nodes with unequal shares, on a wheel or around a coordinator."""
    topology = "wheel" if issubclass(catalogue("algorithms")[algorithm], PeerAlgorithm) else "star"
    problem, partition = {"name": "tests.tiny:Blobs", "samples": 96}, "quantity"
    if conditions == "batch_norm":
        partition = "iid"
    tiny: Fields = {"problem": problem, "partition": partition, "nodes": 8, "topology": topology, "seed": 7}
    component = {"name": algorithm, "batch_size": 6, "max_staleness": 1, **SUITED.get(algorithm, {})}
    chosen = CONDITIONS[conditions]
    if topology == "wheel":  # there is no way down
        chosen = {key: value for key, value in chosen.items() if key not in ("downlink", "recovery")}
        if isinstance(stages := chosen.get("aggregator"), list):
            chosen["aggregator"] = [stage for stage in stages if stage != MOMENTUM]
    if algorithm in FEW_TO_HEAR:
        chosen = {key: value for key, value in chosen.items() if key != "aggregator"}
    return {**tiny, "algorithm": component, **chosen}


def agree(found_KD: FloatArray, expected_KD: FloatArray, where: str) -> None:
    assert np.isfinite(expected_KD).all()
    np.testing.assert_allclose(found_KD, expected_KD, rtol=1e-5, atol=1e-5, err_msg=where)


@cache
def reference(algorithm: str, conditions: str) -> FloatArray:
    return REFERENCE(fields(algorithm, conditions), ROUNDS)


FURTHEST = "debug-sequential"
"""The runtime that shares least with the reference; the others are tried in two of the conditions alone."""


@pytest.mark.parametrize("conditions", CONDITIONS)
@every
def test_agree(algorithm: str, conditions: str) -> None:
    for runtime, play_there in RUNTIMES.items():
        if runtime == FURTHEST or conditions in ("calm", "losses"):
            found_KD = play_there(fields(algorithm, conditions), ROUNDS)
            agree(found_KD, reference(algorithm, conditions), f"{conditions}, {runtime}")


SIGHTED = ("storm",)
"""The conditions under which attackers must see every row, so that one process hosts all nodes."""


@pytest.mark.parametrize("rows", [("0-2", "3-7"), ("0-7",)], ids=["apart", "together"])
@every
def test_real_processes_agree(algorithm: str, rows: tuple[str, ...]) -> None:
    """Real processes on loopback, each hosting some rows, play all conditions one after the other."""
    played = [name for name in CONDITIONS if (name in SIGHTED) == (len(rows) == 1)]
    variants = {name: fields(algorithm, name) for name in played}
    whole = {**fields(algorithm, "calm"), "rounds": ROUNDS, "variants": variants}
    with TemporaryDirectory() as folder, cluster(Path(folder), rows, **whole) as made:
        made.start()
        for name in played:
            made.turn_to(name)
            agree(made.play(ROUNDS), reference(algorithm, name), name)


@pytest.mark.parametrize("algorithm", ["dsgd", "push_sum"])
def test_real_processes_agree_over_links_that_lead_one_way(algorithm: str) -> None:
    """Three processes, of which some hear one that does not hear them, on a static and on a changing graph."""
    ways = [(topology, name) for topology in ("exponential", "one_peer_exponential") for name in ("calm", "losses")]
    variants = {f"{topology}, {name}": {**fields(algorithm, name), "topology": topology} for topology, name in ways}
    whole = {**fields(algorithm, "calm"), "rounds": ROUNDS, "variants": variants}
    with TemporaryDirectory() as folder, cluster(Path(folder), ("0", "1-4", "5-7"), **whole) as made:
        made.start()
        for name, variant in variants.items():
            made.turn_to(name)
            sim = simulation(**variant, engine="stacked", chunk_rows=64)
            agree(made.play(ROUNDS), play(sim, ROUNDS)[-1], name)
            np.testing.assert_allclose(made.rounds.seen_N, sim.seen_N)
            for at in ((round, total, None) for round in range(1, ROUNDS + 1) for total in TOTALS):
                assert made.notes.values[at] == notes(sim).values[at], at


@every
def test_the_storm_is_felt(algorithm: str) -> None:
    calm_KD, storm_KD = (reference(algorithm, conditions) for conditions in ("calm", "storm"))
    assert np.abs(calm_KD - storm_KD).max() > 1e-3
