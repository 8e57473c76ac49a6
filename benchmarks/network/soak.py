"""Two hundred rounds with 20 node processes: what grows? And rounds while a stranger sends a million messages."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from benchmarks import harness
from benchmarks.network.outcome import Outcome
from tests.runtimes.network.cluster import Cluster, cluster

from holdfast.runtimes.network.identity import COORDINATOR
from holdfast.runtimes.network.post import ROOT

NODES, MESSAGES, TIME_LIMIT = 20, 1_000_000, 600.0
SPARE = 8.0
"""MiB of resident memory that count as no growth: what allocators keep differs from round to round."""

WORK: dict[str, Any] = {
    "problem": {"name": "digits", "model": {"name": "logistic"}},
    "algorithm": {"name": "robust_sgd", "batch_size": 8},
    "nodes": NODES,
    "engine": "sequential",
}

FLOOD = """
import sys, zenoh
from holdfast.runtimes.network.post import open_session
with open_session("peer", connect=[sys.argv[1]]) as session:
    put = session.declare_publisher(sys.argv[2], congestion_control=zenoh.CongestionControl.BLOCK).put
    for number in range(int(sys.argv[3])):
        put(number.to_bytes(8, "big") * 4)
"""


@dataclass(frozen=True)
class Use:
    """What a process uses: threads, open files and sockets, and MiB of resident memory."""

    threads: int
    files: int
    memory: float

    @classmethod
    def of(cls, pid: int | None) -> Use:
        """Of a running process."""
        process = psutil.Process(pid)
        return cls(process.num_threads(), process.num_fds(), process.memory_info().rss / 2**20)

    @classmethod
    def most(cls, uses: list[Use]) -> Use:
        """The greatest of each."""
        return cls(max(u.threads for u in uses), max(u.files for u in uses), max(u.memory for u in uses))

    def grown(self, before: Use) -> bool:
        """Whether it is more than before."""
        return self.threads > before.threads or self.files > before.files or self.memory > before.memory + SPARE


def uses(made: Cluster) -> dict[str, Use]:
    """Of the coordinator, and of the most demanding node."""
    return {COORDINATOR: Use.of(os.getpid()), "nodes": Use.most([Use.of(p.pid) for p in made.processes.values()])}


def flooded(made: Cluster, round: int, messages: int) -> dict[str, float]:
    """Rounds, from one on, while a stranger sends garbage in a node's name; how many were played, and the memory."""
    key = f"{ROOT}/{made.office.scope}/to/{COORDINATOR}/node-0/c"
    command = [sys.executable, "-c", FLOOD, made.office.address.endpoint(False), key, str(messages)]
    before, played, start = Use.of(os.getpid()), 0, time.monotonic()
    with subprocess.Popen(command) as stranger:
        while stranger.poll() is None and time.monotonic() < start + TIME_LIMIT:
            made.play(1, round + played)
            played += 1
        stranger.kill()
    seconds, growth = time.monotonic() - start, Use.of(os.getpid()).memory - before.memory
    return {"messages": messages, "rounds": played, "seconds": rounded(seconds), "MiB grown": rounded(growth)}


def rounded(value: float) -> float:
    """Two digits after the point are enough here."""
    return round(value, 2)


def measure(quick: bool) -> Outcome:
    """A long run, and the flood at its end."""
    early, late = (5, 20) if quick else (20, 200)
    rows = [str(node) for node in range(NODES)]
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder), rows, rounds=late, **WORK) as made:
        made.start()
        made.play(early)
        before = uses(made)
        start = time.perf_counter()
        made.play(late - early, early + 1)
        pace = (time.perf_counter() - start) / (late - early)
        after = uses(made)
        events = dict(made.notes.events)
        flood = flooded(made, late + 1, MESSAGES // 10 if quick else MESSAGES)
    table = harness.table(["", "threads", "files and sockets", "MiB"], _rows(early, before) + _rows(late, after))
    growth = {name: after[name].grown(before[name]) for name in after}
    verdicts = [f"{'GROWN' if grown else 'no growth'}: {name}" for name, grown in growth.items()]
    notes = [f"{pace:.3f} s a round; events: {events}", f"flood: {flood}"]
    return Outcome(table, [*verdicts, *notes], {"flood": flood, "growth": growth, "seconds_per_round": pace})


def _rows(round: int, found: dict[str, Use]) -> list[list[str]]:
    return [[f"{n}, round {round}", str(u.threads), str(u.files), f"{u.memory:.1f}"] for n, u in found.items()]
