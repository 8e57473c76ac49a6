"""Which plots a run has, and their files: ``plots/*.png``, and on a dark ground ``plots/dark/*.png``.

Everything is read from the run directory. Only plots whose data exist are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from holdfast.record.curves import averaged, curve, has_band, has_cost, has_curve
from holdfast.record.files import safe_name
from holdfast.record.graph import graph_plots
from holdfast.record.maps import map_plots
from holdfast.record.page import Plot, draw
from holdfast.record.pareto import costs_of, pareto
from holdfast.record.pictures import balance, event_strip, has_events, spread, spread_metric
from holdfast.record.run_data import Run, load_run
from holdfast.record.wording import COSTS, compared_by, listed, title

__all__ = ["Plot", "draw_plots", "write_plots"]


_MOST_NAMED = 8
_OF_GRAPHS = ("spectral_gap", "algebraic_connectivity")


def write_plots(directory: Path) -> list[Path]:
    """Draw every plot that a run directory has the data for.

    Args:
        directory: the run directory.

    Returns:
        The pictures on a light ground; those on a dark ground lie beside them in ``dark``.

    Raises:
        InputError: the directory holds no readable run.
    """
    directory = Path(directory)
    return [plot.path(directory) for plot in draw_plots(load_run(directory))]


def draw_plots(run: Run) -> list[Plot]:
    """Draw every plot of a run that was read, in both themes, and say what they are."""
    plots = list(_plots(run))
    draw(plots, run.directory)
    return plots


def _plots(run: Run) -> Iterator[Plot]:
    metrics = _curve_metrics(run)
    for metric in metrics:
        yield from _curves(run, metric)
    for cost in costs_of(run):
        if cost != "bytes" and metrics and metrics[0] == compared_by(run.metrics()):
            yield from _over_cost(run, metrics[0], cost)
    of_nodes = spread_metric(run)
    if of_nodes is not None:
        yield Plot("spread_over_nodes", _spread_caption(of_nodes), partial(spread, run, of_nodes))
    yield from graph_plots(run)
    yield from map_plots(run)
    if run.summary.get("class_counts"):
        yield _balance_plot(run)
    if has_events(run):
        caption = "What happened in which round; a dot's area grows with how many times."
        yield Plot("events", caption, partial(event_strip, run), wide=True)


def _curve_metrics(run: Run) -> list[str]:
    """The metrics worth a curve: quality first, then the losses, then what else was measured."""
    recorded = run.metrics()
    tests = [metric for metric in recorded if metric.startswith("test_")]
    wanted = [
        compared_by(recorded),
        "test_loss",
        "train_loss",
        *tests,
        "attack_success",
        "consensus_error",
        *_OF_GRAPHS,
    ]
    return [m for m in dict.fromkeys(wanted) if m is not None and m in recorded and has_curve(run, m)]


def _curves(run: Run, metric: str) -> Iterator[Plot]:
    caption = f"{title(metric)} after each round.{_notes(run, metric)}"
    yield Plot(f"{safe_name(metric)}_by_round", caption, partial(curve, run, metric, None), pair=True)
    if metric not in _OF_GRAPHS:
        yield from _over_cost(run, metric, "bytes")


def _over_cost(run: Run, metric: str, cost: str) -> Iterator[Plot]:
    if not has_cost(run, metric, cost):
        return
    compared = metric == compared_by(run.metrics()) and len(run.variants) > 1
    names = pareto(run, metric, cost).variants if compared else []  # none if no variant has become better
    caption = f"{title(metric)} against the {COSTS[cost]} so far."
    if names:
        caption += (
            f" The broad line is the Pareto front, the best that was reached with at most so much: {_few(names)}."
        )
    draw = partial(curve, run, metric, cost, with_front=bool(names))
    yield Plot(f"{safe_name(metric)}_by_{cost}", caption + _notes(run, metric), draw, pair=True)


def _few(names: list[str]) -> str:
    left = len(names) - _MOST_NAMED
    return listed([*names[:_MOST_NAMED], f"{left} more"] if left > 1 else names)


def _notes(run: Run, metric: str) -> str:
    notes = " The band holds eight in ten of the honest nodes, thin lines all of them." if has_band(run, metric) else ""
    if averaged(run, metric) > 1:
        notes += f" All are moving averages over {averaged(run, metric)} rounds."
    if any(run.diverged(variant) for variant in run.variants):
        notes += " A cross marks where a variant diverged."
    return notes


def _spread_caption(metric: str) -> str:
    kinds = {"local": "on its own samples", "personal": "on test samples in its own mix of classes"}
    what = kinds.get(metric.partition("_")[0], "on the whole test set")
    return (
        f"Each node's model {what} at the end: a dot a node, a cross a Byzantine one; "
        "the box holds half of the honest nodes, its whiskers eight in ten."
    )


def _balance_plot(run: Run) -> Plot:
    counts = run.summary["class_counts"]
    wide = len(counts) > 30 or bool(run.summary.get("graphs"))  # beside the spread stands the graph, if there is one
    first = "of the first 100 nodes" if len(counts) == 100 else "node"
    caption = f"How many samples of each class each {first} holds."
    return Plot("class_balance", caption, partial(balance, counts, wide), wide=wide)
