"""Writes the report of a sweep: one file that tells what came out, works offline and needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from holdfast.record.page import draw, picture, write_page
from holdfast.record.summary import machine
from holdfast.record.theme import DARK, LIGHT
from holdfast.record.wording import human_bytes, human_time, shown, title
from holdfast.sweep.grid import Sweep
from holdfast.sweep.price import price_plot, price_table, prices
from holdfast.sweep.results import Record, metrics_of
from holdfast.sweep.robust import Breakdown, mean_and_spread
from holdfast.sweep.table import chosen_metric
from holdfast.sweep.views import View, sections
from holdfast.sweep.words import beyond, verdict

__all__ = ["write_report"]

MOST_ROWS = 2000


def write_report(directory: Path, described: Sweep, records: Sequence[Record], keep: float) -> Path:
    """Draw the pictures and write ``report.html``, and the pictures beside it in ``plots``.

    Args:
        directory: the directory of the sweep.
        described: the sweep.
        records: what came out of its cells.
        keep: the part of its quality that a rule must keep.

    Returns:
        The path of the report.
    """
    path = directory / "report.html"
    write_page(path, "sweep.html", _page(directory, described, records, keep))
    return path


def _page(directory: Path, described: Sweep, records: Sequence[Record], keep: float) -> dict[str, Any]:
    """What the template shows, every number as text already."""
    metrics = metrics_of(records)
    view = View(described.axes, records, chosen_metric(records), keep) if metrics else None
    costs = list(prices(view)) if view else []
    parts = [*(sections(view) if view else []), *([("What it cost", [*map(price_plot, costs)])] if costs else [])]
    draw([plot for _, plots in parts for plot in plots], directory)
    return {
        "name": described.name,
        "version": version("holdfast"),
        "verdict": verdict(view, records),
        "breakdowns": _breakdowns(view) if view else [],
        "sections": [(heading, [picture(plot, directory) for plot in plots]) for heading, plots in parts],
        "fronts": [price_table(price) for price in costs],
        "axes": [axis.name for axis in described.axes],
        "headings": [*(title(metric) for metric in metrics[:3]), "Rounds", "Time", "Sent up", "Sent down"],
        "rows": [_row(record, metrics[:3]) for record in records[:MOST_ROWS]],
        "sweep": described.as_yaml(),
        "machine": {title(key): str(value) for key, value in machine().items()},
        "light": LIGHT,
        "dark": DARK,
    }


def _row(record: Record, metrics: Sequence[str]) -> dict[str, Any]:
    values = record.values
    cells = [shown(metric, values[metric]) if metric in values else "" for metric in metrics]
    cells.append(f"{values['rounds']:.0f}" if "rounds" in values else "")
    cells.append(human_time(values["seconds"]) if "seconds" in values else "")
    cells += [human_bytes(values[name]) if name in values else "" for name in ("bytes_up", "bytes_down")]
    link = f"{record.directory}/report.html" if values else ""
    about = {"labels": list(record.labels.values()), "status": record.status, "reason": record.reason}
    return {**about, "cells": cells, "link": link}


def _breakdowns(view: View) -> list[dict[str, Any]]:
    """A table for each combination of the other axes."""
    if view.roles.rule is None or view.roles.f is None:
        return []
    named = {"rule": view.roles.rule.name, "f": view.roles.f.name}
    return [
        {"panel": f", {panel}" if panel else "", **named, "rows": [_breakdown(view, found) for found in each]}
        for panel, each in view.breakdowns()
    ]


def _breakdown(view: View, found: Breakdown) -> dict[str, Any]:
    rules = view.roles.rule.labels if view.roles.rule else [found.rule]
    return {
        "rule": found.rule,
        "place": rules.index(found.rule) % len(LIGHT.variants),
        "baseline": shown(view.metric, found.baseline),
        "holds": "nothing" if found.holds is None else found.holds,
        "left": mean_and_spread(found.value, view.metric) if found.value else "",
        "beyond": beyond(view, found),
    }
