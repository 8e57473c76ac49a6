"""Every algorithm gives the same models in every runtime, with every engine.

A runtime is a function from an experiment's fields and a number of rounds to the models after them. The simulation on
the stacked engine is what the others are held to; a further runtime is one more entry of `RUNTIMES`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from holdfast.algorithms import PeerAlgorithm
from holdfast.catalogue import catalogue
from holdfast.runtimes.debug import Debug
from holdfast.runtimes.simulation import Simulation
from holdfast.types import FloatArray

from .runtimes.network.cluster import cluster
from .tiny import Blobs, play, simulation

Fields = dict[str, Any]
Runtime = Callable[[Fields, int], FloatArray]


def in_process(runtime: type[Simulation], **engine: Any) -> Runtime:
    """A runtime inside this process, on an engine."""
    return lambda fields, rounds: play(simulation(runtime, **fields, **engine), rounds)[-1]


def over_network(*rows: str) -> Runtime:
    """Real processes on loopback, each hosting some rows."""

    def play_there(fields: Fields, rounds: int) -> FloatArray:
        with TemporaryDirectory() as folder, cluster(Path(folder), rows, **{**fields, "rounds": rounds}) as made:
            made.start()
            return made.play(rounds)

    return play_there


REFERENCE = in_process(Simulation, engine="stacked", chunk_rows=64)
RUNTIMES: dict[str, Runtime] = {
    "simulation-in-chunks": in_process(Simulation, engine="stacked", chunk_rows=3),
    "simulation-sequential": in_process(Simulation, engine="sequential"),
    "debug-stacked": in_process(Debug, engine="stacked", chunk_rows=64),
    "network": over_network("0-2", "3-7"),
    "debug-sequential": in_process(Debug, engine="sequential"),
}

LOSSES = [
    {"name": "crash", "node": 3, "at_round": 2, "back_at": 4},
    {"name": "drop", "probability": 0.15},
    {"name": "delay", "probability": 0.3, "nodes": [1, 5]},
    {"name": "straggle", "nodes": [2], "factor": 2},
]
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
    "remembering": {  # what nodes and rules remember and draw: momenta, groups, stale updates
        "attack": {"name": "stale", "nodes": [0], "from_round": 2},
        "aggregator": [{"name": "momentum"}, {"name": "bucketing", "s": 2}, {"name": "centered_clipping", "tau": 0.1}],
    },
    "storm": {
        "faults": LOSSES,
        "attack": {"name": "alie", "nodes": [0]},
        # No rounding codec: where two runtimes differ in the last bit, it may round them apart.
        "codec": [{"name": "top_k", "fraction": 0.6}, {"name": "top_k", "fraction": 0.8}],
        "aggregator": {"name": "trimmed_mean", "f": 1},
    },
}
ROUNDS = 4
TOGETHER = {"network-together": over_network("0-7")}


def fields(algorithm: str, conditions: str) -> Fields:
    """Eight nodes with unequal shares, on a wheel or around a coordinator."""
    topology = "wheel" if issubclass(catalogue("algorithms")[algorithm], PeerAlgorithm) else "star"
    problem, partition = Blobs(samples=96), "quantity"
    if conditions == "batch_norm":
        partition = "iid"
    tiny: Fields = {"problem": problem, "partition": partition, "nodes": 8, "topology": topology, "seed": 7}
    component = {"name": algorithm, "batch_size": 6, "max_staleness": 1}
    chosen = CONDITIONS[conditions]
    if topology == "wheel":  # there is no way down
        chosen = {key: value for key, value in chosen.items() if key != "downlink"}
    return {**tiny, "algorithm": component, **chosen}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("conditions", CONDITIONS)
@pytest.mark.parametrize("algorithm", catalogue("algorithms"))
def test_agree(algorithm: str, conditions: str, runtime: str) -> None:
    if (conditions, runtime) == ("storm", "network"):
        runtime = "network-together"  # its attack sees every row
    experiment = fields(algorithm, conditions)
    expected_KD = REFERENCE(experiment, ROUNDS)
    assert np.isfinite(expected_KD).all()
    np.testing.assert_allclose((RUNTIMES | TOGETHER)[runtime](experiment, ROUNDS), expected_KD, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("algorithm", catalogue("algorithms"))
def test_the_storm_is_felt(algorithm: str) -> None:
    calm_KD, storm_KD = (REFERENCE(fields(algorithm, conditions), ROUNDS) for conditions in ("calm", "storm"))
    assert np.abs(calm_KD - storm_KD).max() > 1e-3
