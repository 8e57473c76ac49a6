"""What came out of each cell, as one row of ``results.csv``.

Its columns are the axes, then ``status``, ``reason`` and ``directory``, then numbers: ``attackers``, ``rounds``,
``seconds``, ``bytes_up``, ``bytes_down``, ``virtual_seconds``, every final metric under its name, and its best value
under ``best_`` and that name; but for the first six where an axis is called like them. A status is ``done``,
``diverged``, ``impossible`` (the rule cannot keep its promise with so many rows), ``failed``, ``interrupted`` or
``waiting``. A number that does not apply is blank, one that is not finite is ``nan``.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast.errors import InputError
from holdfast.record.files import write_atomically
from holdfast.record.run_data import SUMMARY
from holdfast.record.wording import is_counter

__all__ = ["COUNTS", "MEASURED", "RESULTS", "Record", "metrics_of", "read_results", "read_summary", "write_results"]

RESULTS = "results.csv"
MEASURED = ("done", "diverged")
"""The statuses of a cell that came to its end."""
COUNTS = ("attackers", "rounds", "seconds", "bytes_up", "bytes_down", "virtual_seconds")
_ABOUT = ("status", "reason", "directory")


@dataclass(frozen=True)
class Record:
    """What came out of a cell.

    Args:
        labels: its value on each axis.
        status: how it ended.
        reason: why it is impossible, or its last words where it failed.
        directory: its run directory, as seen from that of the sweep.
        values: its numbers by name.
    """

    labels: dict[str, str]
    status: str
    reason: str = ""
    directory: str = ""
    values: dict[str, float] = field(default_factory=dict)


def read_summary(directory: Path, variant: str | None = None) -> tuple[str, dict[str, float]]:
    """How a run ended, and its numbers; a run without a summary is ``waiting``."""
    path = directory / SUMMARY
    if not path.exists():
        return "waiting", {}
    variants = json.loads(path.read_text(encoding="utf-8"))["variants"]
    told = variants.get(variant or next(iter(variants), None))
    return ("waiting", {}) if told is None else (told["status"], _numbers(told))


def _numbers(told: Mapping[str, Any]) -> dict[str, float]:
    clock = told["final"].get("virtual_seconds")
    counts = {**told, "attackers": len(told["byzantine"]), "virtual_seconds": clock}
    final = {name: value for name, value in told["final"].items() if not is_counter(name)}
    best = {f"best_{name}": about["value"] for name, about in told["best"].items()}
    numbers = {name: counts[name] for name in COUNTS if counts[name] is not None}
    return {name: _read(value) for name, value in {**numbers, **final, **best}.items()}


def _read(value: float | None) -> float:
    return math.nan if value is None else float(value)


def metrics_of(records: Iterable[Record]) -> list[str]:
    """Every metric that some cell ended with, in the order of their first appearance."""
    names = dict.fromkeys(name for record in records for name in record.values)
    return [name for name in names if name not in COUNTS and not name.startswith("best_")]


def write_results(path: Path, axes: Sequence[str], records: Sequence[Record]) -> None:
    """Write the rows, all or nothing."""
    metrics = metrics_of(records)
    counts = (name for name in COUNTS if name not in axes)
    numbers = [*counts, *metrics, *(f"best_{name}" for name in metrics)]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*axes, *_ABOUT, *numbers])
    for record in records:
        about = record.status, record.reason, record.directory
        rows.writerow([*(record.labels[axis] for axis in axes), *about, *(_written(record, name) for name in numbers)])
    write_atomically(path, text.getvalue())


def _written(record: Record, name: str) -> str:
    value = record.values.get(name)
    return "" if value is None else f"{value:.17g}"


def read_results(path: Path) -> list[Record]:
    """The rows of a file that `write_results` wrote.

    Raises:
        InputError: it is no such file.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    try:
        at = rows[0].index("status")
        return [_record(list(zip(rows[0], row, strict=True)), at) for row in rows[1:]]
    except (ValueError, IndexError) as error:
        remedy = "Run the sweep again; finished cells are kept."
        raise InputError(str(path), "be as Holdfast wrote it", str(error), remedy) from error


def _record(cells: Sequence[tuple[str, str]], axes: int) -> Record:
    """The record of a row, of which the first columns are the axes; a number may be called like one of them."""
    (_, status), (_, reason), (_, directory) = cells[axes : axes + len(_ABOUT)]
    numbers = {name: float(text) for name, text in cells[axes + len(_ABOUT) :] if text}
    return Record(dict(cells[:axes]), status, reason, directory, numbers)
