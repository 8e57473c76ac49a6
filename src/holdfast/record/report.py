"""Writes ``report.html``: one file that tells the whole run, works offline and needs the directory alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from holdfast.record.costs import cost_tables
from holdfast.record.film import SLIDER, SLIDER_DIGEST, shoot
from holdfast.record.graph import graph_films
from holdfast.record.maps import map_films
from holdfast.record.page import picture, write_page
from holdfast.record.plots import draw_plots
from holdfast.record.run_data import Run, load_run
from holdfast.record.summary import derive
from holdfast.record.theme import DARK, LIGHT
from holdfast.record.wording import KINDS, compared_by, human_bytes, human_time, less_is_better, listed, shown, title

__all__ = ["verdict", "write_report"]

_ABSENT = "\N{EN DASH}"


def write_report(directory: Path) -> Path:
    """Draw the plots anew and write ``report.html`` beside them.

    Args:
        directory: the run directory; without ``summary.json`` (a run that was killed) the report tells what
            the other files know.

    Returns:
        The path of the report.

    Raises:
        InputError: the directory holds no readable run.
    """
    run = load_run(directory)
    summary = run.summary or derive(run, {})
    path = run.directory / "report.html"
    write_page(path, "report.html", _page(run, summary))
    return path


def _page(run: Run, summary: Mapping[str, Any]) -> dict[str, Any]:
    """What the template shows, every number as text already."""
    variants = summary["variants"]
    plots = draw_plots(run)
    return {
        "name": summary["name"],
        "version": summary["version"],
        "verdict": verdict(summary),
        "headings": _headings(variants),
        "rows": [_row(name, told, _metrics(variants), _place(run, name)) for name, told in variants.items()],
        "curves": [picture(plot, run.directory) for plot in plots if plot.pair],
        "pictures": [picture(plot, run.directory) for plot in plots if not plot.pair],
        "films": [shoot(film, run.directory) for film in (*graph_films(run), *map_films(run))],
        "slider": SLIDER,
        "slider_digest": SLIDER_DIGEST,
        "costs": cost_tables(run),
        "kinds": _kinds(variants),
        "variants": list(variants),
        "engines": [_engine(name, told) for name, told in variants.items()],
        "experiment": run.experiment,
        "machine": {title(key): str(value) for key, value in summary["machine"].items()},
        "light": LIGHT,
        "dark": DARK,
    }


def _place(run: Run, variant: str) -> int:
    """The variant's place among the colours, the same as in the plots."""
    return run.variants.index(variant) % len(LIGHT.variants) if variant in run.variants else 0


def _metrics(variants: Mapping[str, Any]) -> list[str]:
    """The metrics of the table: the quality and the losses, as far as any variant has them."""
    recorded = list(dict.fromkeys(metric for told in variants.values() for metric in told["final"]))
    wanted = [compared_by(recorded), "test_loss", "train_loss", "consensus_error"]
    return [metric for metric in dict.fromkeys(wanted) if metric is not None and metric in recorded][:3]


def _headings(variants: Mapping[str, Any]) -> list[str]:
    return [*map(title, _metrics(variants)), "Rounds", "Time", "Sent up", "Sent down", "Events"]


def _row(name: str, told: Mapping[str, Any], metrics: list[str], place: int) -> dict[str, Any]:
    seconds = _ABSENT if told["seconds"] is None else human_time(told["seconds"])
    events = sum(count for kind, count in told["events"].items() if kind != "byzantine")
    sent = human_bytes(told["bytes_up"]), human_bytes(told["bytes_down"])
    cells = [(_final(told, metric), _best(told, metric)) for metric in metrics]
    cells += [(text, "") for text in (str(told["rounds"]), seconds, *sent, str(events))]
    row = {"name": name, "status": told["status"], "byzantine": len(told["byzantine"])}
    return {**row, "cells": cells, "place": place}


def _final(told: Mapping[str, Any], metric: str) -> str:
    return shown(metric, told["final"][metric]) if metric in told["final"] else _ABSENT


def _best(told: Mapping[str, Any], metric: str) -> str:
    """The best value and its round, where the last value is not the best one."""
    best = told["best"].get(metric)
    if best is None or best["value"] == told["final"].get(metric):
        return ""
    return f"best {shown(metric, best['value'])} in {best['round']}"


def _kinds(variants: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each kind of event its meaning and its count in each variant."""
    kinds = dict.fromkeys(kind for told in variants.values() for kind in told["events"])
    kinds.pop("byzantine", None)
    return [
        {
            "name": kind.replace("_", " "),
            "meaning": KINDS.get(kind, ""),
            "counts": [told["events"].get(kind, 0) for told in variants.values()],
        }
        for kind in kinds
    ]


def _engine(name: str, told: Mapping[str, Any]) -> dict[str, str]:
    """How a variant was computed, in a line."""
    parts = {key: told[key] for key in ("parameters", "messages") if told[key] is not None}
    words = [f"{value:,} {key}" for key, value in parts.items()]
    engine = {"engine" if key == "name" else key: value for key, value in (told["engine"] or {}).items()}
    words += [f"{key.replace('_', ' ')} {_short(value)}" for key, value in engine.items()]
    return {"name": name, "words": ", ".join(words) or _ABSENT}


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{key} {_short(item)}" for key, item in value.items()) + ")"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def verdict(summary: Mapping[str, Any]) -> str:
    """What came out, in one paragraph.

    Args:
        summary: what ``summary.json`` holds.

    Example:
        >>> def variant(accuracy):
        ...     told = {"final": {"test_accuracy": accuracy}, "events": {"lost": 9}, "byzantine": [2]}
        ...     return {"status": "done", "rounds": 50, **told}
        >>> verdict({"variants": {"mean": variant(0.18), "robust": variant(0.91)}})
        'robust ends best, with a test accuracy of 91.0% after 50 rounds; mean ends at 18.0%. \
One node was Byzantine. Recorded on the way, over all variants: lost (18).'
    """
    variants = summary["variants"]
    sentences = [_comparison(variants), _troubles(variants), _liars(variants), _events(variants)]
    return " ".join(sentence for sentence in sentences if sentence)


def _comparison(variants: Mapping[str, Any]) -> str:
    metric = compared_by(metric for told in variants.values() for metric in told["final"])
    if metric is None:
        return "No variant was measured."
    values = {name: told["final"].get(metric) for name, told in variants.items()}
    ranked = sorted((n for n, v in values.items() if v is not None), key=lambda n: values[n], reverse=True)
    if not ranked:
        return f"No variant ends with a finite {title(metric).lower()}."
    ranked = ranked[::-1] if less_is_better(metric) else ranked
    best, rest = ranked[0], ranked[1:]
    ends = "ends best, with" if rest else "ends with"
    texts = {name: shown(metric, value) for name, value in values.items()}
    head = f"{best} {ends} a {title(metric).lower()} of {texts[best]} after {_rounds(variants[best])}"
    return head + _others(rest, texts) + "."


def _rounds(told: Mapping[str, Any]) -> str:
    return "1 round" if told["rounds"] == 1 else f"{told['rounds']} rounds"


def _others(ranked: list[str], values: Mapping[str, str]) -> str:
    if not ranked:
        return ""
    if len(ranked) <= 3:
        return "; " + listed(f"{name} ends at {values[name]}" for name in ranked)
    first, last = ranked[0], ranked[-1]
    return f"; the other {len(ranked)} end between {values[last]} ({last}) and {values[first]} ({first})"


def _troubles(variants: Mapping[str, Any]) -> str:
    words = {"diverged": "diverged", "failed": "failed", "interrupted": "was interrupted"}
    ended = [(name, told) for name, told in variants.items() if told["status"] in words]
    parts = [f"{name} {words[told['status']]} after {_rounds(told)}" for name, told in ended]
    return listed(parts) + "." if parts else ""


def _liars(variants: Mapping[str, Any]) -> str:
    counts = {len(told["byzantine"]) for told in variants.values()} - {0}
    if not counts:
        return ""
    least, most = min(counts), max(counts)
    how_many = "One node was" if most == 1 else f"{'Up to ' if least < most else ''}{most} nodes were"
    everywhere = all(told["byzantine"] for told in variants.values())
    return f"{how_many} Byzantine{'' if everywhere else ' in some of the variants'}."


def _events(variants: Mapping[str, Any]) -> str:
    totals: dict[str, int] = {}
    for told in variants.values():
        for kind, count in told["events"].items():
            totals[kind] = totals.get(kind, 0) + count
    totals.pop("byzantine", None)
    if not totals:
        return "Nothing went wrong on the way."
    counts = listed(f"{kind.replace('_', ' ')} ({count})" for kind, count in totals.items())
    over_all = ", over all variants" if len(variants) > 1 else ""
    return f"Recorded on the way{over_all}: {counts}."
