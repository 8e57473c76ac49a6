"""Runs a sweep: every cell that is not finished, side by side, then the tables and the report."""

from __future__ import annotations

import fcntl
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from holdfast.errors import InputError
from holdfast.record.files import write_atomically
from holdfast.run import interruptible, making, try_to_write
from holdfast.sweep.check import check
from holdfast.sweep.grid import Cell, Sweep, load_sweep
from holdfast.sweep.progress import Board
from holdfast.sweep.report import write_report
from holdfast.sweep.results import MEASURED, RESULTS, Record, read_summary, write_results
from holdfast.sweep.room import Room, room
from holdfast.sweep.table import Table, tabulate
from holdfast.sweep.work import Crew, Outcome, Task

__all__ = ["SWEEP", "SweepResult", "sweep"]

SWEEP, CELLS, LOGS, LOCK = "sweep.yaml", "cells", "logs", ".lock"
HEARTBEAT = 0.5
"""Seconds after which the display and Ctrl-C get their turn."""


@dataclass(frozen=True)
class SweepResult:
    """What a sweep left.

    Args:
        directory: the directory of the sweep.
        records: what came out of each cell.
        interrupted: whether it was stopped; the same command goes on.
    """

    directory: Path
    records: tuple[Record, ...]
    interrupted: bool = False

    @property
    def report(self) -> Path:
        """The report to open in a browser."""
        return self.directory / "report.html"

    @property
    def failed(self) -> list[Record]:
        """The cells that crashed."""
        return [record for record in self.records if record.status == "failed"]

    def table(
        self, rows: str, cols: str | None = None, values: Sequence[str] = ("mean", "std"), metric: str | None = None
    ) -> Table:
        """A metric by one or two axes, over all the others.

        Args:
            rows: the axis of the rows.
            cols: the axis of the columns; one column without it.
            values: what to tell of the cells that fall together: mean, std, min, max, worst, count.
            metric: the metric; the accuracy, or the first other one, without it.

        Raises:
            InputError: there is no such axis, value or metric.
        """
        return tabulate(self.records, rows, cols, values, metric)


def sweep(
    file: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    jobs: int | None = None,
    data_dir: str | Path | None = None,
    keep: float = 0.5,
    console: Console | None = None,
) -> SweepResult:
    """Run every cell of a grid that is not finished, and write the tables and the report.

    Cells run in processes of their own, which import the calling module: call it under
    ``if __name__ == "__main__":`` in a script. The same call goes on with an interrupted sweep.

    Args:
        file: a sweep file, or a mapping that holds the same.
        out: the directory of the sweep; ``sweeps/<name>`` without it.
        overrides: fields to set, as ``a.b=value``.
        jobs: how many cells run at a time; as many as there are cores, and memory for, without it.
        data_dir: where data sets lie; the environment variable HOLDFAST_DATA without it.
        keep: the part of the quality without attackers that a rule must keep not to count as broken down.
        console: where progress is shown; nowhere without one.

    Raises:
        InputError: the sweep cannot be run as it is; nothing has been written then.
    """
    if not 0 < keep <= 1:
        raise InputError("--keep", "be above 0 and at most 1", keep, "Use 0.5, say.")
    described, console = load_sweep(file, overrides), console or Console(quiet=True)
    directory = Path(out) if out is not None else Path("sweeps") / described.name.replace(" ", "-")
    conductor = _Conductor(described, directory, str(data_dir) if data_dir is not None else None, console)
    waiting, memory = conductor.prepare()
    with _alone(directory):
        write_atomically(directory / SWEEP, described.as_yaml())
        interrupted = conductor.conduct(waiting, room(len(waiting), jobs, memory)) if waiting else False
        records = conductor.write()
        write_report(directory, described, records, keep)
    return SweepResult(directory, tuple(records), interrupted)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Make the directory, and keep others out of it."""
    with making():
        directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            remedy = "Wait for the other one, or name another directory."
            raise InputError("--out", "be swept by one command at a time", str(directory), remedy) from None
        yield


def _is_foreign(directory: Path) -> bool:
    """Whether something stands there that is no sweep's."""
    if not directory.exists() or (directory / SWEEP).exists():
        return False
    return not directory.is_dir() or any(path.name != LOCK for path in directory.iterdir())


class _Conductor:
    """Takes the cells of one sweep through their processes, and keeps what came out of each."""

    def __init__(self, described: Sweep, directory: Path, data_dir: str | None, console: Console) -> None:
        self.sweep, self.directory, self.data_dir, self.console = described, directory, data_dir, console
        self.runs = {cell.digest: cell for cell in reversed(described.cells) if cell.experiment is not None}
        self.places = {path.name.rpartition("-")[2]: path for path in (directory / CELLS).glob("*")}
        self.found = {cell.digest: self._record(cell) for cell in described.cells}

    def prepare(self) -> tuple[list[Cell], int]:
        """The cells that are to be run, and the memory that one of them takes, in bytes.

        Raises:
            InputError: the directory is no sweep's or cannot be made, or one of those cells cannot be run as it is.
        """
        with making():
            if _is_foreign(self.directory):
                remedy = "Name another directory."
                raise InputError("--out", "be new, or the directory of a sweep", str(self.directory), remedy)
            try_to_write(self.directory)
        cells = [cell for cell in self.runs.values() if self.found[cell.digest].status not in MEASURED]
        if cells and self.console.is_terminal:
            self.console.print(f"Checking {len(cells)} cells", style="dim")
        reasons, memory = check(cells, Path(self.data_dir) if self.data_dir is not None else None)
        for digest, reason in reasons.items():
            self.found[digest] = Record({}, "impossible", reason)
        order = {cell.digest: place for place, cell in enumerate(self.sweep.cells)}
        left = [cell for cell in cells if cell.digest not in reasons]
        return sorted(left, key=lambda cell: order[cell.digest]), memory

    def conduct(self, cells: list[Cell], room: Room) -> bool:
        """Run cells; whether that was interrupted."""
        self._announce(len(cells), room)
        (self.directory / CELLS).mkdir(exist_ok=True)
        (self.directory / LOGS).mkdir(exist_ok=True)
        crew, stopping = Crew(room.jobs, room.threads), threading.Event()
        try:
            with interruptible(stopping), Board(len(cells), self.console) as board:
                self._play(deque(cells), crew, board, stopping)
        finally:
            crew.close()
        return stopping.is_set()

    def _announce(self, count: int, room: Room) -> None:
        whole, before = len(self.sweep.cells), len(self.runs) - count
        finished = f", {before} finished before" if before else ""
        at_a_time = f"{room.jobs} at a time with {room.threads} thread{'s' if room.threads > 1 else ''} each"
        text = f"{self.sweep.name}: {whole} cells, {count} to run{finished}; {at_a_time} ({room.why})"
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _play(self, waiting: deque[Cell], crew: Crew, board: Board, stopping: threading.Event) -> None:
        asked = False
        while waiting or crew.busy:
            if stopping.is_set() and not asked:
                asked, board.note = True, "stopping after the rounds under way"
                waiting.clear()
                crew.stop()
            while waiting and crew.free:
                crew.give(self._task(waiting.popleft()))
            board.running = crew.busy
            for task, outcome in crew.ended(HEARTBEAT):
                board.end(self._ended(Path(task.directory), outcome, asked))
                self.write()

    def _task(self, cell: Cell) -> Task:
        assert cell.experiment is not None
        directory, source = self._place(cell), str(self.sweep.source.resolve())
        log = self.directory / LOGS / f"{directory.name}.log"
        log.unlink(missing_ok=True)
        return Task(str(directory), cell.experiment.as_mapping(), self.data_dir, source, str(log))

    def _ended(self, directory: Path, outcome: Outcome, stopping: bool) -> Record:
        """Take note of how a cell came out."""
        cell = self.runs[directory.name.rpartition("-")[2]]
        record = self._record(cell)
        if outcome.status == "failed" and record.status not in MEASURED:
            status = "interrupted" if stopping else "failed"
            record = replace(record, status=status, reason="" if stopping else outcome.words)
        log = self.directory / LOGS / f"{directory.name}.log"
        if log.exists() and not log.stat().st_size:
            log.unlink()
        self.found[cell.digest] = record
        return record

    def _place(self, cell: Cell) -> Path:
        """The run directory of a cell: where it lies already, whatever its labels were then, or where it will."""
        return self.places.get(cell.digest, self.directory / CELLS / cell.slug)

    def _record(self, cell: Cell) -> Record:
        """What the files tell of a cell."""
        if cell.impossible:
            return Record(cell.labels, "impossible", cell.impossible)
        directory = self._place(cell)
        status, values = read_summary(directory)
        return Record(cell.labels, status, "", f"{CELLS}/{directory.name}", values)

    def write(self) -> list[Record]:
        """Write ``results.csv``; its rows."""
        records = [replace(self.found[cell.digest], labels=cell.labels) for cell in self.sweep.cells]
        write_results(self.directory / RESULTS, [axis.name for axis in self.sweep.axes], records)
        return records
