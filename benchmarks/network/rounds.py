"""Seconds a round with a process for each of 20 nodes, a model of 1.6 million numbers and next to no work.

Measured at the coordinator, around the whole of a round: broadcast, a gradient of one sample, upload, mean, step.
Flower's deployment engine plays the same round without even the gradient (`benchmarks/peers/flower_deployment.py`).
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import harness
from benchmarks.network.outcome import Aim, Outcome
from tests.runtimes.network.cluster import cluster

NODES = 20
WARM_UP = 2
HIDDEN = (1230, 1230)
PARAMETERS = 1_606_390
FLOWER = harness.ROOT / ".venv-flower" / "bin" / "python"
FLOWER_ROUNDS = 5  # they take half a minute each
AIM = Aim("at least 5 x as fast as Flower's deployment engine", 5.0)

WORK: dict[str, Any] = {
    "problem": {"name": "digits", "model": {"name": "mlp", "hidden": HIDDEN}},
    "algorithm": {"name": "robust_sgd", "batch_size": 1},
    "engine": "sequential",
}
"""A model of `PARAMETERS` numbers, and one sample a round."""


def play(nodes: int, rounds: int) -> list[float]:
    """The seconds of each round."""
    seconds, rows = [], [str(node) for node in range(nodes)]
    with (
        tempfile.TemporaryDirectory() as folder,
        cluster(Path(folder), rows, rounds=rounds, nodes=nodes, **WORK) as made,
    ):
        made.start()
        for round in range(1, rounds + 1):
            made.rounds.ready(round)
            start = time.perf_counter()
            made.rounds.step(round)
            seconds.append(time.perf_counter() - start)
        found = dict(made.notes.events)
    if found:
        print("  events:", found)
    return seconds


def flower(rounds: int) -> dict[str, Any] | None:
    """What Flower takes, if it is installed."""
    if not FLOWER.exists():
        print(f"skipped flower: there is no {FLOWER.relative_to(harness.ROOT)}")
        return None
    options = ("--nodes", str(NODES), "--parameters", str(PARAMETERS), "--rounds", str(rounds))
    return harness.run_json((FLOWER, harness.ROOT / "benchmarks" / "peers" / "flower_deployment.py", *options))


def measure(quick: bool) -> Outcome:
    """Holdfast, and then Flower."""
    ours = play(NODES, WARM_UP + (5 if quick else 30))
    theirs = flower(WARM_UP + 1 if quick else FLOWER_ROUNDS)
    median = statistics.median(ours[WARM_UP:])
    rows = [["holdfast", f"{median:.3f}", "1.00"]]
    ratio = theirs["seconds_per_round"] / median if theirs else None
    if theirs and ratio:
        rows.append([theirs["peer"], f"{theirs['seconds_per_round']:.3f}", f"{ratio:.2f}"])
    table = harness.table([f"{NODES} processes, 1.6 M numbers", "s a round", "this ÷ holdfast"], rows)
    return Outcome(table, [AIM.verdict(ratio)], {"holdfast": ours, "flower": theirs})
