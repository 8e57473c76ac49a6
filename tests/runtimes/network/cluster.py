"""Real processes for tests: a coordinator in this one, nodes in others, on loopback."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

from holdfast.algorithms import PeerAlgorithm
from holdfast.experiment import Experiment
from holdfast.launch.join import NodeSettings
from holdfast.launch.local import start_node
from holdfast.prepare import Preparer
from holdfast.record.recorder import Recorder
from holdfast.runtimes.network.identity import COORDINATOR, Entry, Identity, Roster
from holdfast.runtimes.network.office import Office
from holdfast.runtimes.network.post import Address
from holdfast.runtimes.network.star import RemoteStar
from holdfast.runtimes.network.watch import Watch
from holdfast.types import FloatArray

from ...tiny import Notes


class Cluster:
    """A coordinator, and node processes that host the given rows.

    Args:
        folder: where the nodes' logs go.
        rows: for each process its rows, such as ``0-2``.
        fields: the experiment's.
    """

    def __init__(self, folder: Path, rows: Sequence[str], **fields: Any) -> None:
        self.folder, self.experiment = folder, Experiment(**fields)
        self.identities = {f"node-{n}": Identity.fresh(f"node-{n}") for n in range(len(rows))}
        self.rows = dict(zip(self.identities, rows, strict=True))
        entries = {name: Entry(i.public, self.rows[name]) for name, i in self.identities.items()}
        own = Identity.fresh(COORDINATOR)
        self.office = Office(self.experiment, Address("127.0.0.1", 0), own, Roster(own.public, entries))
        self.processes: dict[str, BaseProcess] = {}
        self.gone = False
        self.stopping = threading.Event()
        self.preparer = Preparer(rows=1)
        self.turn_to(next(name for name, _ in self.experiment.runs()))

    def start(self, *names: str, state_dir: Path | None = None) -> None:
        """Start node processes; all of them if none are named."""
        for name in names or self.identities:
            settings = NodeSettings(name, experiment=self.experiment, state_dir=state_dir)
            log = self.folder / f"{name}.log"
            self.processes[name] = start_node(self.office.address, self.identities[name], settings, log)

    def turn_to(self, variant: str) -> None:
        """Begin a variant."""
        prepared = self.preparer.prepare(self.experiment.variant(variant))
        kind = Watch if isinstance(prepared.parts.algorithm, PeerAlgorithm) else RemoteStar
        self.notes = Notes()
        log = cast(Recorder, self.notes)
        self.rounds = kind(prepared, log, self.office, variant, self.stopping, lambda text: None)

    def play(self, rounds: int, first: int = 1) -> FloatArray:
        """The models after some rounds."""
        for round in range(first, first + rounds):
            self.rounds.ready(round)
            self.rounds.step(round)
        models: FloatArray = self.rounds.models().double().numpy()
        return models

    def playing(self, rounds: int, first: int = 1) -> Future[FloatArray]:
        """The same, on a thread of its own, so that something may happen meanwhile."""
        background = ThreadPoolExecutor(1)
        try:
            return background.submit(self.play, rounds, first)
        finally:
            background.shutdown(wait=False)

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a node process; one that was killed is gone when this returns."""
        process = self.processes[name]
        assert process.pid is not None
        os.kill(process.pid, number)
        if number == signal.SIGKILL:
            process.join(10)

    def close_office(self) -> None:
        """Let the coordinator go away without a word."""
        if not self.gone:
            self.gone = True
            self.office.close()

    def log(self, name: str) -> str:
        """What a node process has said."""
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""


@contextmanager
def cluster(folder: Path, rows: Sequence[str], **fields: Any) -> Iterator[Cluster]:
    """A cluster whose processes end with the block."""
    made = Cluster(folder, rows, **fields)
    try:
        yield made
    finally:
        if not made.gone:
            made.office.end("done")
        for process in made.processes.values():
            process.join(5)
            process.kill()
            process.join()
        made.close_office()
