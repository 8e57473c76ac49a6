"""Reads a run directory into plain arrays, for the summary, the plots and the report.

A directory is readable at any time, also while its run goes on or after it was killed: a last line without
its end is left out, and a file that is not there yet counts as empty. Only ``metrics.csv`` must exist.
"""

from __future__ import annotations

import csv
import io
import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.types import FloatArray, IntArray

__all__ = [
    "EVENTS",
    "EXPERIMENT",
    "HEADER",
    "METRICS",
    "SUMMARY",
    "Event",
    "NodeSeries",
    "Run",
    "Series",
    "load_run",
]

METRICS, EVENTS, SUMMARY, EXPERIMENT = "metrics.csv", "events.jsonl", "summary.json", "experiment.yaml"
HEADER = "variant,round,node,metric,value"


@dataclass(frozen=True)
class Series:
    """A metric of the whole run: (R,) ``rounds``, ascending and without repeats, and (R,) ``values``."""

    rounds: IntArray
    values: FloatArray


@dataclass(frozen=True)
class NodeSeries:
    """A metric of single nodes, an entry a line of the file: (L,) ``rounds``, ``nodes``, ``values``."""

    rounds: IntArray
    nodes: IntArray
    values: FloatArray

    def without(self, nodes: list[int]) -> NodeSeries:
        """The entries of all other nodes."""
        kept_L = ~np.isin(self.nodes, nodes)
        return NodeSeries(self.rounds[kept_L], self.nodes[kept_L], self.values[kept_L])

    def last(self) -> tuple[int, IntArray, FloatArray]:
        """The last round, the nodes that have a value in it, and their values."""
        in_it_L = self.rounds == self.rounds[-1]
        return int(self.rounds[-1]), self.nodes[in_it_L], self.values[in_it_L]

    def by_round(self) -> Iterator[tuple[int, FloatArray]]:
        """Each round and the values of its nodes."""
        rounds_R, starts_R = np.unique(self.rounds, return_index=True)
        yield from zip(rounds_R.tolist(), np.split(self.values, starts_R[1:]), strict=True)


@dataclass(frozen=True)
class Event:
    """One line of ``events.jsonl``."""

    variant: str
    round: int
    kind: str
    node: int | None
    detail: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """What a run directory holds.

    Attributes:
        directory: where it was read from.
        variants: the variants in their order.
        events: every event in the order of the file.
        experiment: the text of ``experiment.yaml``, empty where there is none.
        summary: what ``summary.json`` holds, empty where there is none.
    """

    directory: Path
    variants: tuple[str, ...]
    events: tuple[Event, ...]
    experiment: str = ""
    summary: dict[str, Any] = field(default_factory=dict)
    _whole: dict[tuple[str, str], Series] = field(default_factory=dict)
    _nodes: dict[tuple[str, str], NodeSeries] = field(default_factory=dict)

    def metrics(self, variant: str | None = None) -> list[str]:
        """The metrics of the whole run that were recorded, for a variant or for any."""
        return list(dict.fromkeys(m for v, m in self._whole if variant in (None, v)))

    def node_metrics(self, variant: str) -> list[str]:
        """The metrics of single nodes that were recorded for a variant."""
        return [m for v, m in self._nodes if v == variant]

    def series(self, variant: str, metric: str) -> Series | None:
        """A metric of the whole run, or None where it was not recorded."""
        return self._whole.get((variant, metric))

    def per_node(self, variant: str, metric: str) -> NodeSeries | None:
        """A metric of single nodes, or None where it was not recorded."""
        return self._nodes.get((variant, metric))

    def total(self, variant: str, metric: str) -> float:
        """The sum of a metric of the whole run over all rounds."""
        series = self.series(variant, metric)
        return 0 if series is None else float(series.values.sum())

    def rounds(self, variant: str) -> int:
        """The rounds that the variant has done, by its metrics."""
        found = (s.rounds[-1] for (v, _), s in self._whole.items() if v == variant)
        return int(max(found, default=0))

    def byzantine(self, variant: str) -> list[int]:
        """The Byzantine nodes, by the event that names them."""
        named = (e.detail.get("nodes", []) for e in self.events if (e.variant, e.kind) == (variant, "byzantine"))
        return sorted({int(node) for nodes in named for node in nodes})

    def diverged(self, variant: str) -> bool:
        """Whether the variant stopped because its model was no longer finite."""
        return any((e.variant, e.kind) == (variant, "diverged") for e in self.events)


def load_run(directory: Path) -> Run:
    """Read a run directory.

    Args:
        directory: a directory with at least ``metrics.csv`` in it.

    Raises:
        InputError: it is no run directory, or a line or file in it cannot be read.
    """
    directory = Path(directory)
    if not (directory / METRICS).exists():
        remedy = "Give the directory that a run printed at its end."
        raise InputError("directory", f"hold a run, with {METRICS} in it", str(directory), remedy)
    whole, nodes = _read_metrics(directory / METRICS)
    events = tuple(_read_events(directory / EVENTS))
    summary = _read_summary(directory / SUMMARY)
    seen = [v for v, _ in [*whole, *nodes]] + [event.variant for event in events]
    variants = tuple(dict.fromkeys([*summary.get("variants", {}), *seen]))
    return Run(directory, variants, events, _text(directory / EXPERIMENT), summary, whole, nodes)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _lines_written(path: Path) -> str:
    """The text up to the end of the last complete line: a kill may have cut the one after it."""
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1].decode("utf-8")


def _unreadable(path: Path, line: int, given: object) -> InputError:
    return InputError(f"{path}, line {line},", "be as Holdfast wrote it", given, "Restore the file or run again.")


def _read_metrics(path: Path) -> tuple[dict[tuple[str, str], Series], dict[tuple[str, str], NodeSeries]]:
    columns: dict[tuple[str, str, bool], tuple[array[int], array[int], array[float]]] = {}
    reader = csv.reader(io.StringIO(_lines_written(path), newline=""))
    next(reader, None)
    for row in reader:
        try:
            variant, round, node, metric, value = row
            key = variant, metric, node != ""
            rounds, nodes, values = columns.setdefault(key, (array("q"), array("q"), array("d")))
            rounds.append(int(round))
            nodes.append(int(node or 0))
            values.append(float(value))
        except ValueError:
            raise _unreadable(path, reader.line_num, row) from None
    whole = {(v, m): _series(r, x) for (v, m, single), (r, _, x) in columns.items() if not single}
    per_node = {(v, m): _node_series(*c) for (v, m, single), c in columns.items() if single}
    return whole, per_node


def _series(rounds: array[int], values: array[float]) -> Series:
    last = dict(zip(rounds, values, strict=True))  # of a round recorded twice, the later value counts
    order = sorted(last)
    return Series(np.array(order, dtype=np.int64), np.array([last[r] for r in order], dtype=np.float64))


def _node_series(rounds: array[int], nodes: array[int], values: array[float]) -> NodeSeries:
    rounds_L, nodes_L = np.array(rounds, dtype=np.int64), np.array(nodes, dtype=np.int64)
    order_L = np.argsort(rounds_L, kind="stable")
    return NodeSeries(rounds_L[order_L], nodes_L[order_L], np.array(values, dtype=np.float64)[order_L])


def _read_events(path: Path) -> Iterator[Event]:
    for number, line in enumerate(_lines_written(path).split("\n")[:-1], 1):
        try:
            detail = json.loads(line)
            variant, round, kind = (detail.pop(key) for key in ("variant", "round", "kind"))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _unreadable(path, number, line) from None
        yield Event(variant, round, kind, detail.pop("node", None), detail)


def _read_summary(path: Path) -> dict[str, Any]:
    try:
        summary: dict[str, Any] = json.loads(_text(path) or "{}")
    except ValueError as error:
        raise _unreadable(path, getattr(error, "lineno", 1), str(error)) from None
    return summary
