"""A metric by one or two axes, as CSV, Markdown or LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.errors import InputError, nearest
from holdfast.record.wording import compared_by, less_is_better, shown, title
from holdfast.sweep.results import COUNTS, MEASURED, Record, metrics_of
from holdfast.types import FloatArray

__all__ = ["FORMATS", "STATISTICS", "Table", "chosen_metric", "statistics", "tabulate"]

Statistic = Callable[[FloatArray, str], float]


def _std(values: FloatArray, metric: str) -> float:
    """The sample standard deviation; 0 of a single value."""
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _worst(values: FloatArray, metric: str) -> float:
    return float(values.max() if less_is_better(metric) else values.min())


STATISTICS: dict[str, Statistic] = {
    "mean": lambda values, metric: float(values.mean()),
    "std": _std,
    "min": lambda values, metric: float(values.min()),
    "max": lambda values, metric: float(values.max()),
    "worst": _worst,
    "count": lambda values, metric: len(values),
}
"""What a table can tell of the cells that fall together; one that is not finite makes all but the count so."""


@dataclass(frozen=True)
class Table:
    """A metric by one or two axes.

    Args:
        metric: the metric.
        corner: the name of the axis of the rows.
        rows: the labels of the rows.
        cols: the labels of the columns.
        values: what is told of each entry.
        numbers: by the places of row and column, what `values` names; none where no cell was measured.
        words: by the places of row and column, why there is no number, such as ``impossible``.
    """

    metric: str
    corner: str
    rows: tuple[str, ...]
    cols: tuple[str, ...]
    values: tuple[str, ...]
    numbers: dict[tuple[int, int], dict[str, float]]
    words: dict[tuple[int, int], str]

    def csv(self) -> str:
        """One line a row, one column for each value of each column; all digits."""
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow([self.corner, *(f"{col} {value}" for col in self.cols for value in self.values)])
        for row, name in enumerate(self.rows):
            lines.writerow([name, *(self._raw(row, col, v) for col in range(len(self.cols)) for v in self.values)])
        return text.getvalue()

    def markdown(self) -> str:
        """A table as GitHub shows it."""
        lines = [[self.corner, *self.cols], ["---", *("---:" for _ in self.cols)], *self._lines()]
        escaped = [[entry.replace("|", r"\|") for entry in line] for line in lines]
        return "".join(f"| {' | '.join(line)} |\n" for line in escaped)

    def latex(self) -> str:
        """A ``tabular`` that needs no package."""
        lines = [[_escaped(entry) for entry in line] for line in ([self.corner, *self.cols], *self._lines())]
        head, *rest = [" & ".join(line) + r" \\" for line in lines]
        columns = "l" + "r" * len(self.cols)
        return "\n".join([rf"\begin{{tabular}}{{{columns}}}", r"\hline", head, r"\hline", *rest, r"\hline", _END])

    def _lines(self) -> list[list[str]]:
        return [[name, *(self.entry(r, c) for c in range(len(self.cols)))] for r, name in enumerate(self.rows)]

    def entry(self, row: int, col: int) -> str:
        """One entry for a reader: ``mean ± std`` where both stand, other values after slashes."""
        numbers = self.numbers.get((row, col))
        if numbers is None:
            return self.words.get((row, col), "")
        parts = {v: str(int(numbers[v])) if v == "count" else shown(self.metric, numbers[v]) for v in self.values}
        if "mean" in parts and "std" in parts:
            parts["mean"] += f" ± {parts.pop('std')}"
        return " / ".join(parts.values())

    def _raw(self, row: int, col: int, value: str) -> str:
        numbers = self.numbers.get((row, col))
        return self.words.get((row, col), "") if numbers is None else f"{numbers[value]:.12g}"


_END = "\\end{tabular}\n"
_LATEX = {"\\": r"\textbackslash{}", "±": r"$\pm$", "^": r"\^{}", "~": r"\~{}", "<": "$<$", ">": "$>$"}
FORMATS: dict[str, Callable[[Table], str]] = {"csv": Table.csv, "markdown": Table.markdown, "latex": Table.latex}


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(letter, f"\\{letter}" if letter in "&%$#_{}" else letter) for letter in text)


def tabulate(
    records: Sequence[Record],
    rows: str,
    cols: str | None = None,
    values: Sequence[str] = ("mean", "std"),
    metric: str | None = None,
) -> Table:
    """A metric by one or two axes, over all the others.

    Args:
        records: what came out of each cell.
        rows: the axis of the rows.
        cols: the axis of the columns; one column without it.
        values: some of `STATISTICS`.
        metric: the metric; the accuracy, or the first other one, without it.

    Raises:
        InputError: there is no such axis, value or metric.

    Example:
        >>> found = [("krum", "1", 0.9), ("krum", "2", 0.8), ("mean", "1", 0.1), ("mean", "2", 0.3)]
        >>> records = [Record({"rule": r, "seed": s}, "done", values={"test_accuracy": x}) for r, s, x in found]
        >>> print(tabulate(records, "rule", values=["mean", "worst"]).markdown(), end="")
        | rule | test accuracy |
        | --- | ---: |
        | krum | 85.0% / 80.0% |
        | mean | 20.0% / 10.0% |
    """
    metric = chosen_metric(records, metric)
    axes = list(dict.fromkeys(axis for record in records for axis in record.labels))
    rows = _axis(axes, rows, "--rows")
    cols = _axis(axes, cols, "--cols") if cols else None
    for value in values:
        if value not in STATISTICS:
            raise InputError("--values", "be among those there are", value, nearest(value, STATISTICS))
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        place = record.labels.get(rows, ""), record.labels.get(cols, "") if cols else title(metric).lower()
        groups.setdefault(place, []).append(record)
    names = [tuple(dict.fromkeys(place[side] for place in groups)) for side in (0, 1)]
    at = {(names[0].index(r), names[1].index(c)): found for (r, c), found in groups.items()}
    measured = {place: statistics(found, metric, values) for place, found in at.items()}
    numbers = {place: told for place, told in measured.items() if told is not None}
    words = {place: _words(found, metric) for place, found in at.items()}
    return Table(metric, rows, names[0], names[1], tuple(values), numbers, words)


def _axis(axes: Sequence[str], name: str, field: str) -> str:
    """The axis of that name, or the one that is called like the last step of a dotted path."""
    last = name.rpartition(".")[2]
    if name not in axes and last not in axes:
        raise InputError(field, "be an axis of what was run", name, nearest(name, axes))
    return name if name in axes else last


def chosen_metric(records: Sequence[Record], wanted: str | None = None) -> str:
    """The metric that was asked for, or else the one a reader compares by first.

    Raises:
        InputError: no cell has that metric, or any.
    """
    metrics = metrics_of(records)
    columns = [*metrics, *(f"best_{name}" for name in metrics), *COUNTS]
    if not metrics or (wanted is not None and wanted not in columns):
        raise InputError("--metric", "be a number that was recorded", wanted, nearest(wanted or "", columns))
    return wanted or compared_by(metrics) or metrics[0]


def statistics(records: Sequence[Record], metric: str, wanted: Sequence[str]) -> dict[str, float] | None:
    """What `STATISTICS` tell of the cells that were measured; None where there is none."""
    found = [r.values[metric] for r in records if r.status in MEASURED and metric in r.values]
    values = np.array(found, dtype=np.float64)
    if not len(values):
        return None
    finite = bool(np.isfinite(values).all())
    return {name: STATISTICS[name](values, metric) if finite or name == "count" else math.nan for name in wanted}


def _words(records: Sequence[Record], metric: str) -> str:
    """Why there is no number."""
    statuses = dict.fromkeys("no value" if record.status in MEASURED else record.status for record in records)
    return ", ".join(statuses)
