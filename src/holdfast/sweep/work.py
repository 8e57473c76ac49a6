"""The processes that run the cells of a sweep, and what each of them does.

A process plays one cell after another. A cell that raises, and even one that takes its process down with it, is an
outcome like any other: the next cell gets a fresh process.
"""

from __future__ import annotations

import json
import multiprocessing as mp
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import torch

from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import Experiment
from holdfast.run import Result, interrupted, resume, run

__all__ = ["Crew", "Outcome", "Task", "play"]

Status = Literal["ended", "interrupted", "failed"]


@dataclass(frozen=True)
class Task:
    """What a process needs to know of a cell.

    Args:
        directory: the cell's run directory.
        experiment: the experiment, as a file would hold it.
        data_dir: where data sets lie.
        source: the folder of the sweep file, where modules that it names may stand.
        log: the file that takes whatever is printed.
    """

    directory: str
    experiment: dict[str, Any]
    data_dir: str | None
    source: str
    log: str


@dataclass(frozen=True)
class Outcome:
    """How a cell came out: it ended, by itself or as diverged; it was interrupted; or it failed with these words."""

    status: Status
    words: str = ""


def play(task: Task) -> Outcome:
    """Run a cell, or go on with it where it was interrupted."""
    directory = Path(task.directory)
    for folder in (task.source, str(Path.cwd())):
        if folder not in sys.path:
            sys.path.append(folder)
    if _begun(directory):
        result: Result = resume(directory, data_dir=task.data_dir)
    else:
        result = run(Experiment(**task.experiment), directory, data_dir=task.data_dir, source=Path(task.source))
    return Outcome("interrupted" if result.interrupted else "ended")


def _begun(directory: Path) -> bool:
    """Whether there is a checkpoint to go on from; what a cell without one left is removed."""
    try:
        interrupted(directory)
    except InputError:
        shutil.rmtree(directory, ignore_errors=True)
        return False
    return True


def _serve(pipe: Connection, threads: int) -> None:
    """What a process does: cell after cell, until nobody wants any more."""
    os.setpgrp()  # Ctrl-C is the sweep's, who tells the processes
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Thread(target=_leave_with_the_sweep, daemon=True).start()
    torch.set_num_threads(threads)
    while True:
        try:
            task = Task(**json.loads(pipe.recv_bytes()))
        except (EOFError, KeyboardInterrupt):
            return
        outcome = _outcome(task)
        pipe.send_bytes(json.dumps(asdict(outcome)).encode())


def _leave_with_the_sweep() -> None:
    """Stop the cell under way, with a checkpoint, if the sweep is killed."""
    parent = mp.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def _outcome(task: Task) -> Outcome:
    """How the cell came out, with everything that is printed on the way in its log."""
    with open(task.log, "a", encoding="utf-8") as log:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log.fileno(), stream.fileno())
    try:
        return play(task)
    except KeyboardInterrupt:
        return Outcome("interrupted")
    except HoldfastError as error:
        return Outcome("failed", " ".join(str(error).split()))
    except Exception as error:  # whatever a component raises is this cell's alone
        traceback.print_exc()
        return Outcome("failed", " ".join(f"{type(error).__name__}: {error}".split()))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


class _Worker:
    """One process, and the cell that it plays."""

    def __init__(self, threads: int) -> None:
        context = mp.get_context("forkserver")  # torch is imported once for all of them
        context.set_forkserver_preload(["holdfast.sweep.work"])
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, threads), daemon=True)
        self.process.start()
        theirs.close()
        self.task: Task | None = None

    def give(self, task: Task) -> None:
        self.task = task
        with suppress(ConnectionError):  # it is gone: its outcome will say so
            self.pipe.send_bytes(json.dumps(asdict(task)).encode())

    def outcome(self) -> Outcome:
        """How its cell came out, where it has said so or is gone."""
        try:
            return Outcome(**json.loads(self.pipe.recv_bytes()))
        except (EOFError, ConnectionError):
            self.process.join()
            return Outcome("failed", self._last_words())

    def _last_words(self) -> str:
        code = self.process.exitcode or 0
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"its process ended with {code}"
        log = Path(self.task.log) if self.task else None
        said = log.read_text(encoding="utf-8", errors="replace").split("\n") if log and log.exists() else []
        last = [line.strip() for line in said if line.strip()][-1:]
        return ": ".join([how, *last])


class Crew:
    """So many processes, each with its share of the threads; to be closed in the end.

    Args:
        jobs: how many.
        threads: how many threads of torch each has.
    """

    def __init__(self, jobs: int, threads: int) -> None:
        self.jobs, self.threads = jobs, threads
        self.workers: list[_Worker] = []

    @property
    def busy(self) -> int:
        """How many cells are under way."""
        return sum(worker.task is not None for worker in self.workers)

    @property
    def free(self) -> bool:
        """Whether there is a process to spare, or room for one."""
        return self.busy < self.jobs

    def give(self, task: Task) -> None:
        """Have a cell played by a process that is free."""
        worker = next((worker for worker in self.workers if worker.task is None), None)
        if worker is None:
            worker = _Worker(self.threads)
            self.workers.append(worker)
        worker.give(task)

    def ended(self, timeout: float) -> Iterator[tuple[Task, Outcome]]:
        """The cells that have come out, waited for so many seconds at most."""
        busy = {worker.pipe: worker for worker in self.workers if worker.task is not None}
        for pipe in wait(list(busy), timeout):
            worker = busy[pipe]  # type: ignore[index]
            task, outcome, worker.task = worker.task, worker.outcome(), None
            if not worker.process.is_alive():
                self.workers.remove(worker)
            assert task is not None
            yield task, outcome

    def stop(self) -> None:
        """Ask every process to stop its cell after the round under way, with a checkpoint."""
        for worker in self.workers:
            worker.process.terminate()

    def close(self) -> None:
        """End every process at once."""
        for worker in self.workers:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
        self.workers = []
