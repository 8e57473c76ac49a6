"""The tables of a report that tell what quality cost: in bytes, in virtual time, in samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.record.pareto import Front, costs_of, pareto, reached, spent, targets
from holdfast.record.run_data import Run
from holdfast.record.theme import LIGHT
from holdfast.record.wording import COSTS, compared_by, less_is_better, listed, shown, title

__all__ = ["cost_tables", "times_less"]

_ABSENT = "\N{EN DASH}"
_HARDLY_LESS = 1.05


def cost_tables(run: Run) -> list[dict[str, Any]]:
    """A table for each cost that was recorded, every number as text already."""
    metric = compared_by(run.metrics())
    return [] if metric is None else [_table(run, metric, cost) for cost in costs_of(run)]


def _table(run: Run, metric: str, cost: str) -> dict[str, Any]:
    wanted, best = targets(run, metric), pareto(run, metric, cost)
    totals = [_total(run, variant, cost) for variant in run.variants]
    ways = [[reached(run, variant, metric, cost, target) for variant in run.variants] for target in wanted.values()]
    columns = [_column(cost, column) for column in (totals, *ways)]
    rows = [_row(run, at, metric, cost, columns, best) for at in range(len(run.variants))]
    return {
        "heading": f"What it cost: {COSTS[cost]}",
        "metric": title(metric),
        "targets": [(shown(metric, target), f"{100 * level:g}%") for level, target in wanted.items()],
        "rows": rows,
        "words": _words(run, metric, cost, best),
    }


def _total(run: Run, variant: str, cost: str) -> float | None:
    total = spent(run, variant, cost, np.array([run.rounds(variant)]))
    return None if total is None else float(total[0])


def _column(cost: str, amounts: Sequence[float | None]) -> list[tuple[str, list[str]]]:
    """Each amount, and how many times less it is than the greatest."""
    most = max((amount for amount in amounts if amount is not None), default=0.0)
    return [(_ABSENT, []) if x is None else (shown(cost, x), times_less(x, most)) for x in amounts]


def times_less(amount: float, most: float) -> list[str]:
    """How many times less an amount is than the greatest, in words; nothing where it is hardly less.

    Example:
        >>> times_less(2.0, 25.0), times_less(1.0, 3333.3), times_less(24.9, 25.0), times_less(0.0, 25.0)
        (['12.5 times less'], ['3,333 times less'], [], [])
    """
    if amount <= 0 or most < _HARDLY_LESS * amount:
        return []
    ratio = most / amount
    return [f"{ratio:,.0f} times less" if ratio >= 100 else f"{ratio:.3g} times less"]


def _row(
    run: Run, at: int, metric: str, cost: str, columns: Sequence[list[tuple[str, list[str]]]], best: Front
) -> dict[str, Any]:
    name, (total, notes) = run.variants[at], columns[0][at]
    if cost == "bytes":
        up, down = (shown("bytes", run.total(name, part)) for part in ("bytes_up", "bytes_down"))
        notes = [*notes, f"{up} up, {down} down"]
    done = str(run.rounds(name)), list[str]()
    cells = [(total, notes), done, _quality(run, name, metric), *(column[at] for column in columns[1:])]
    on_front = len(run.variants) > 1 and name in best.variants
    return {"name": name, "place": at % len(LIGHT.variants), "on_front": on_front, "cells": cells}


def _quality(run: Run, variant: str, metric: str) -> tuple[str, list[str]]:
    """The last value, and the best one where that was another."""
    series = run.series(variant, metric)
    if series is None:
        return _ABSENT, []
    final, finite = float(series.values[-1]), series.values[np.isfinite(series.values)]
    best = (min if less_is_better(metric) else max)(finite, default=final)
    return shown(metric, final), [] if best == final else [f"best {shown(metric, float(best))}"]


def _words(run: Run, metric: str, cost: str, best: Front) -> str:
    """What the table tells, in a few sentences."""
    sentences = [
        f"The columns on the right tell what a variant had spent when its {title(metric).lower()} first was as good as "
        f"a part of the best final one; {_ABSENT} where it never was."
    ]
    if len(run.variants) > 1 and best.holders:
        sentences.insert(0, f"On the Pareto front, where no other was better for as little: {listed(best.variants)}.")
    if cost == "bytes":
        sentences.append("Payloads are counted, not headers, at the nodes: a message between two nodes counts twice.")
    return " ".join(sentences)
