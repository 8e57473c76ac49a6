"""The plots that are no curves: spread over the nodes, class balance, events over time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from holdfast.record.run_data import Event, Run
from holdfast.record.theme import FULL_WIDTH, WIDTH, Theme, dress, literal, new_figure, round_axis
from holdfast.record.wording import is_share, title
from holdfast.types import FloatArray

__all__ = [
    "balance",
    "event_strip",
    "has_events",
    "spread",
    "spread_metric",
]

_MOST_COLUMNS = 120  # places for events on the time axis; of more rounds, neighbours are added up


def spread_metric(run: Run) -> str | None:
    """The metric of single nodes that tells most: of the test set, else of the nodes' own samples."""
    pairs = ((variant, metric) for variant in run.variants for metric in run.node_metrics(variant))
    metrics = list(dict.fromkeys(metric for variant, metric in pairs if _has_spread(run, variant, metric)))
    tests = [metric for metric in metrics if metric.startswith("test_")]
    wanted = ["test_accuracy", "personal_accuracy", "local_accuracy", *tests, "local_loss"]
    return next((metric for metric in wanted if metric in metrics), None)


def _has_spread(run: Run, variant: str, metric: str) -> bool:
    series = run.per_node(variant, metric)
    if series is None:
        return False
    _, nodes, values = series.last()
    return len(nodes) > 1 and bool(np.isfinite(values).any())


def spread(run: Run, metric: str, theme: Theme) -> Figure:
    """Draw each node's last value: a dot a node, a box over the honest ones, a cross a Byzantine one."""
    variants = [v for v in run.variants if _has_spread(run, v, metric)]
    figure = new_figure(theme, WIDTH, 1.1 + 0.56 * max(len(variants), 3))
    axes = figure.add_subplot()
    dress(axes, theme, f"{title(metric)} of each node at the end", grid="x")
    every = [_spread_row(axes, run, v, metric, row, theme) for row, v in enumerate(variants)]
    axes.set_yticks(range(len(variants)), [literal(v) for v in variants], color=theme.ink)
    axes.set_ylim(len(variants) - 0.45, -0.55)
    _spread_axis(axes, metric, np.concatenate(every))
    return figure


def _spread_row(axes: Axes, run: Run, variant: str, metric: str, row: int, theme: Theme) -> FloatArray:
    series = run.per_node(variant, metric)
    assert series is not None
    _, nodes, values = series.last()
    nodes, values = nodes[np.isfinite(values)], values[np.isfinite(values)]
    lies = np.isin(nodes, run.byzantine(variant))
    colour = theme.colour(run.variants.index(variant))
    offsets = row + 0.36 * ((np.arange(len(values)) * 0.6180339887) % 1.0 - 0.5)  # even, no chance in it
    size, alpha = (16, 0.65) if len(values) <= 200 else (7, 0.3)
    axes.scatter(values[~lies], offsets[~lies], s=size, color=colour, alpha=alpha, linewidths=0, zorder=3)
    axes.scatter(values[lies], offsets[lies], s=34, marker="x", color=colour, linewidths=1.8, zorder=4)
    if (~lies).sum() >= 4:
        _box(axes, values[~lies], row, theme)
    return values


def _box(axes: Axes, values: FloatArray, row: int, theme: Theme) -> None:
    line: dict[str, Any] = {"color": theme.ink, "linewidth": 1.1}
    axes.boxplot(
        [values], positions=[row], widths=0.5, orientation="horizontal", whis=(10, 90), zorder=5,
        showfliers=False, showcaps=False, manage_ticks=False,
        boxprops=line, whiskerprops=line, medianprops={**line, "linewidth": 2.2},
    )  # fmt: skip


def _spread_axis(axes: Axes, metric: str, values: FloatArray) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
    if is_share(metric) and values.min() >= 0 and values.max() <= 1:
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    elif values.min() > 0 and values.max() / values.min() > 1e3:
        axes.set_xscale("log")


def balance(counts: list[list[int]], wide: bool, theme: Theme) -> Figure:
    """Draw how many samples of each class each node holds, as stacked bars."""
    counts_NC = np.array(counts, dtype=np.float64)
    nodes, classes = counts_NC.shape
    figure = new_figure(theme, FULL_WIDTH if wide else WIDTH, 3.6)
    axes = figure.add_subplot()
    dress(axes, theme, "Samples of each class on each node", "node")
    colours = theme.class_colours(classes)
    half = 0.5 if nodes > 60 else 0.41
    tops_NC = counts_NC.cumsum(axis=1)
    for index, colour in enumerate(colours):
        bars = _bars(tops_NC[:, index] - counts_NC[:, index], tops_NC[:, index], half)
        axes.add_collection(PolyCollection(list(bars), facecolors=colour, edgecolors="none"), autolim=False)
    axes.set_xlim(-0.8, nodes - 0.2)
    axes.set_ylim(0, 1.04 * max(1.0, float(tops_NC.max())))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=21 if wide else 11, integer=True, steps=[1, 2, 5, 10]))
    _class_legend(axes, colours, theme)
    return figure


def _bars(low_N: FloatArray, high_N: FloatArray, half: float) -> FloatArray:
    """(N, 4, 2) the corners of a bar for each node."""
    x_N = np.arange(len(low_N), dtype=np.float64)
    left_N, right_N = x_N - half, x_N + half
    corners = [(left_N, low_N), (left_N, high_N), (right_N, high_N), (right_N, low_N)]
    return np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)


def _class_legend(axes: Axes, colours: list[str], theme: Theme) -> None:
    """Name the classes in the order of the stack; of many, the first, the last and some between."""
    count = len(colours)
    shown = list(range(count)) if count <= 10 else np.linspace(0, count - 1, 6).astype(int).tolist()
    handles = [Patch(color=colours[i], label=f"class {i}") for i in reversed(shown)]
    axes.legend(
        handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9,
        labelcolor=theme.ink, handlelength=1.0, handleheight=1.0, labelspacing=0.45,
    )  # fmt: skip


def has_events(run: Run) -> bool:
    """Whether anything happened on the way."""
    return bool(_happenings(run))


def _happenings(run: Run) -> list[Event]:
    """The events on the way; who is Byzantine is known from the start and is shown elsewhere."""
    return [event for event in run.events if event.kind != "byzantine"]


def event_strip(run: Run, theme: Theme) -> Figure:
    """Draw when what happened: a panel a variant, a line a kind, a dot whose area grows with the count."""
    happened = _happenings(run)
    kinds = list(dict.fromkeys(event.kind for event in happened))
    variants = [v for v in run.variants if any(event.variant == v for event in happened)]
    height = 0.36 + 0.24 * len(kinds)
    figure = new_figure(theme, FULL_WIDTH, 1.05 + height * len(variants))
    panels = figure.subplots(len(variants), 1, sharex=True, squeeze=False)[:, 0]
    last = max(1, *(run.rounds(v) for v in run.variants), *(event.round for event in happened))
    step = 1 + last // _MOST_COLUMNS
    counts = {v: _count(happened, v, step) for v in variants}
    most = max(count for counted in counts.values() for count in counted.values())
    for axes, variant in zip(panels, variants, strict=True):
        _event_panel(axes, counts[variant], kinds, most, theme.colour(run.variants.index(variant)), theme)
        axes.set_title(literal(variant, 60), loc="left", fontsize=9.5, color=theme.ink, pad=4)
        axes.set_xlim(-0.02 * last, 1.02 * last)
    for axes in panels[:-1]:
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="x", length=0)
    panels[-1].tick_params(axis="x", labelbottom=True)
    panels[-1].set_xlabel("round", fontsize=9.5, color=theme.muted)
    figure.suptitle("Events\n", x=0.006, ha="left", fontsize=11, fontweight="bold", color=theme.ink)
    _size_legend(figure, most, theme)
    return figure


def _count(events: list[Event], variant: str, step: int) -> Counter[tuple[int, str]]:
    """How many events of a kind in each span of rounds, by the middle of the span."""
    return Counter((e.round // step * step + step // 2, e.kind) for e in events if e.variant == variant)


def _event_panel(
    axes: Axes, counts: Counter[tuple[int, str]], kinds: list[str], most: int, colour: str, theme: Theme
) -> None:
    dress(axes, theme)
    round_axis(axes)
    x = [round for round, _ in counts]
    y = [kinds.index(kind) for _, kind in counts]
    sizes = [_area(count, most) for count in counts.values()]
    axes.scatter(x, y, s=sizes, color=colour, alpha=0.8, linewidths=0, zorder=3)
    axes.set_yticks(range(len(kinds)), [literal(kind.replace("_", " ")) for kind in kinds])
    axes.set_ylim(len(kinds) - 0.4, -0.6)


def _area(count: int, most: int) -> float:
    return 18.0 + 92.0 * (count - 1) / max(most - 1, 1)


def _size_legend(figure: Figure, most: int, theme: Theme) -> None:
    if most == 1:
        return
    sizes = sorted({1, round((1 + most) / 2), most})
    dot: dict[str, Any] = {"marker": "o", "linestyle": "", "color": theme.muted, "markeredgewidth": 0}
    handles = [Line2D([], [], markersize=_area(n, most) ** 0.5, **dot) for n in sizes]
    figure.legend(
        handles, [str(n) for n in sizes], loc="upper right", ncols=len(sizes), frameon=False, fontsize=9,
        labelcolor=theme.muted, handletextpad=0.1, columnspacing=0.9, borderaxespad=0.1,
    )  # fmt: skip
