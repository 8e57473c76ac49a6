"""Rounds over a cable that loses a tenth of all packets, with the best-effort link and with the reliable one.

The coordinator and the nodes live in two network namespaces (`tests/namespaces.py`), with keys and TLS as between
machines. All have joined before the loss begins. Two workloads: a model of 1.6 million numbers, for the seconds a
round, and a small one, for the accuracy that is left when what is lost is missing from the rows.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import harness
from benchmarks.network.outcome import Aim, Outcome
from benchmarks.network.rounds import HIDDEN
from tests.namespaces import Pair, lossy_pair, missing

from holdfast.runtimes.network.identity import make_keys

NODES, LOSS, PORT = 4, 10, 7447
TIME_LIMIT = 1200.0
LINKS = ("reliable", "best_effort")
FASTER = Aim("at least 6 x faster rounds with the best-effort link", 6.0)
ACCURATE = Aim("an accuracy at most one point lower (in points)", -1.0)


def experiment(link: str, hidden: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Digits with the median of gradients; a model of the named size."""
    return {
        "problem": {"name": "digits", "model": {"name": "mlp", "hidden": hidden}},
        "nodes": NODES,
        "algorithm": {"name": "robust_sgd", "batch_size": 32, "optimizer": {"name": "sgd", "lr": 0.3}},
        "aggregator": {"name": "median"},
        "network": {"link": link, "lease": 10.0, "deadline": 60.0, "patience": 60.0},
        "rounds": rounds,
        "engine": "sequential",
    }


@contextlib.contextmanager
def _started(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the block."""
    process = subprocess.Popen(command, cwd=harness.ROOT, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def play(pair: Pair, described: dict[str, Any]) -> dict[str, Any]:
    """The seconds of each round, the accuracy at the end and what happened, told by the coordinator."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder, address = Path(name), f"{pair.addresses[0]}:{PORT}"
        make_keys(folder / "keys", [f"node-{n}" for n in range(NODES)], hosts=[pair.addresses[0]])
        file = folder / "experiment.json"
        file.write_text(json.dumps(described))
        pair.lose(0)
        here = pair.command(0, sys.executable, "-m", "benchmarks.network.coordinator", address)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        coordinator = stack.enter_context(_started([*here, str(folder / "keys"), str(file)], **pipes))
        log = stack.enter_context((folder / "nodes.log").open("w"))
        for n in range(NODES):
            there = pair.command(1, sys.executable, "-m", "holdfast", "join", address, "--node", f"node-{n}")
            keys = ["--keys", str(folder / "keys" / f"node-{n}")]
            stack.enter_context(_started([*there, *keys], stdout=log, stderr=log))
        assert coordinator.stdout is not None
        if coordinator.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the nodes did not join: {(folder / 'nodes.log').read_text()[-500:]}")
        pair.lose(LOSS)
        output, _ = coordinator.communicate("go\n", timeout=TIME_LIMIT)
        return dict(json.loads(output.splitlines()[-1]))


def measure(quick: bool) -> Outcome:
    """Both links, first for time and then for accuracy."""
    if missing():
        print(f"skipped lossy: {missing()}")
        return Outcome("", [FASTER.verdict(None), ACCURATE.verdict(None)])
    with lossy_pair(0) as pair:
        big = {link: play(pair, experiment(link, HIDDEN, 3 if quick else 8)) for link in LINKS}
        small = {link: play(pair, experiment(link, (100,), 15 if quick else 60)) for link in LINKS}
    seconds = {link: statistics.median(big[link]["seconds"]) for link in LINKS}
    accuracy = {link: 100 * small[link]["accuracy"] for link in LINKS}
    rows = [[link, f"{seconds[link]:.2f}", f"{accuracy[link]:.2f} %"] for link in LINKS]
    table = harness.table([f"{NODES} processes, {LOSS} % loss", "s a round, 1.6 M numbers", "accuracy, digits"], rows)
    verdicts = [
        FASTER.verdict(seconds["reliable"] / seconds["best_effort"]),
        ACCURATE.verdict(accuracy["best_effort"] - accuracy["reliable"]),
    ]
    events = [f"events of {link}: {big[link]['events']}, {small[link]['events']}" for link in LINKS]
    return Outcome(table, [*verdicts, *events], {"big": big, "small": small})
