"""A small run directory with everything that is awkward: what the tests of the record read."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.record.recorder import Recorder
from holdfast.record.run_data import Run, load_run
from holdfast.record.summary import summarise

ROBUST = "robust"
DIVERGED = "<script>alert(1)</script> a/b $x$"
EXPERIMENT = "name: 'hard & <b>bold</b>'\nrounds: 6\n"


def write_run(directory: Path, peers: bool = False, nodes: int = 6) -> dict[str, Any]:
    """Two variants, one of which diverges in round 4; gives the summary."""
    rng = np.random.default_rng(1)
    for variant, last in ((ROBUST, 6), (DIVERGED, 4)):
        with Recorder(directory, variant) as recorder:
            recorder.event(0, "byzantine", nodes=[0, 2])
            for round in range(last + 1):
                _write_round(recorder, round, last, nodes, peers, rng)
            recorder.metrics(last, "local_accuracy", np.arange(nodes), rng.random(nodes))
            if variant == DIVERGED:
                recorder.event(last, "diverged")
    (directory / "experiment.yaml").write_text(EXPERIMENT)
    return summarise(directory, _facts(nodes, peers))


def _write_round(recorder: Recorder, round: int, last: int, nodes: int, peers: bool, rng: np.random.Generator) -> None:
    lost = recorder.variant == DIVERGED
    recorder.metric(round, "test_accuracy", 0.1 + (0.0 if lost else 0.1 * round))
    recorder.metric(round, "test_loss", math.nan if lost and round == last else 2.3 * (9.0 if lost else 0.5) ** round)
    if peers:
        recorder.metrics(round, "test_accuracy", np.arange(nodes), rng.random(nodes))
        recorder.metric(round, "consensus_error", float(round))
    if round > 0:
        recorder.metrics(round, "bytes_up", np.arange(nodes), np.full(nodes, 400))
        recorder.metric(round, "bytes_up", 400 * nodes)
        recorder.metric(round, "bytes_down", 500 * nodes)
        recorder.metric(round, "speakers", nodes)
        recorder.event(round, "lost", node=1, direction="up")
    if round == 2:
        recorder.event(round, "teapot", node=3, temperature=float("inf"))


def _facts(nodes: int, peers: bool) -> dict[str, Any]:
    edges, places = [[i, (i + 1) % nodes] for i in range(nodes)], [[i / nodes, 0.5] for i in range(nodes)]
    frame = {"round": 1, "edges": edges, "places": places}
    about = {"variants": [ROBUST, DIVERGED], "topology": "cycle", "nodes": nodes, "directed": False, "changes": False}
    graph = {**about, "spectral_gap": 1 / 3, "algebraic_connectivity": 1.0, "frames": [frame]}
    shared = {"parameters": 100, "byzantine": [0, 2], "engine": {"name": "stacked"}, "messages": 36}
    return {
        "name": "hard & <b>bold</b>",
        "variants": {
            ROBUST: {"status": "done", "seconds": 1.5, **shared},
            DIVERGED: {"status": "diverged", "seconds": 0.5, **shared},
        },
        "class_counts": np.arange(nodes * 3).reshape(nodes, 3),
        "graphs": [graph] if peers else [],
    }


def write_two(directory: Path) -> Run:
    """One variant that spends little, one that spends more and learns more, one that spends as much and learns less."""
    spend = {"thrifty": (5, [0.1, 0.4, 0.4]), "lavish": (15, [0.1, 0.8, 0.8]), "idle": (15, [0.1, 0.2, 0.7])}
    for variant, (size, values) in spend.items():
        with Recorder(directory, variant) as recorder:
            for round, value in enumerate(values):
                recorder.metric(round, "test_accuracy", value)
                for direction in ("up", "down") if round else ():
                    recorder.metric(round, f"bytes_{direction}", size)
    return load_run(directory)
