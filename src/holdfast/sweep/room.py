"""How many cells run at a time: as many as there are cores, and memory for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from holdfast.calibrate import COPIES_OF_A_ROW, row_bytes
from holdfast.prepare import Prepared
from holdfast.record.wording import human_bytes

__all__ = ["Room", "available_memory", "cell_bytes", "cores", "room"]

OF_A_PROCESS = 350 * 2**20
"""What a process takes that has imported Holdfast and drawn a report, in bytes."""
MOST_PROBED = 64
"""How many samples of a batch are looked at for the memory that a row takes."""


@dataclass(frozen=True)
class Room:
    """How a sweep uses this machine.

    Args:
        jobs: how many cells run at a time.
        threads: how many threads of torch each has.
        why: what that rests on, in words.
    """

    jobs: int
    threads: int
    why: str


def room(cells: int, wanted: int | None, cell: int) -> Room:
    """How to run so many cells.

    Args:
        cells: how many are to be run.
        wanted: how many at a time, if the user says so.
        cell: the memory that one takes, in bytes.
    """
    count, free = cores(), available_memory()
    fitting = count if free is None else max(1, min(count, free // cell))
    jobs = max(1, min(cells, wanted or fitting))
    memory = "" if free is None else f", {human_bytes(free)} of memory free, about {human_bytes(cell)} a cell"
    return Room(jobs, max(1, count // jobs), f"{count} core{'s' if count > 1 else ''}{memory}")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory(system: Path = Path("/")) -> int | None:
    """The memory that is free here, of the machine or of the container, in bytes; None where nobody tells."""
    found = [*_of_the_machine(system / "proc/meminfo"), *_of_the_container(system / "sys/fs/cgroup")]
    return min(found, default=None)


def _of_the_machine(file: Path) -> list[int]:
    lines = file.read_text().splitlines() if file.exists() else []
    return [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]


def _of_the_container(folder: Path) -> list[int]:
    most, used = folder / "memory.max", folder / "memory.current"
    if not (most.exists() and used.exists()) or not most.read_text().strip().isdigit():
        return []
    return [max(0, int(most.read_text()) - int(used.read_text()))]


def cell_bytes(run: Prepared) -> int:
    """About how much memory a cell takes: a process, the data, the rows that train, and one block of them at work."""
    rows, data = run.experiment.asked, (*run.data.train, *run.data.test)
    inputs, targets = run.data.train
    size = min(MOST_PROBED, len(inputs))
    row = row_bytes(run.engine.model, run.engine.loss, (inputs[:size], targets[:size]))
    block = min(run.experiment.memory_mb * 2**20, rows * row)
    state = COPIES_OF_A_ROW * 4 * run.engine.layout.columns * rows
    return OF_A_PROCESS + sum(tensor.numel() * tensor.element_size() for tensor in data) + state + block
