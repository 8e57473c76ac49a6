"""A metric of every variant against the rounds or against a cost, with a band over the nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.ndimage import uniform_filter1d

from holdfast.record.pareto import Front, pareto, spent
from holdfast.record.run_data import Run
from holdfast.record.theme import (
    WIDTH,
    Theme,
    cost_axis,
    dress,
    literal,
    new_figure,
    round_axis,
    staircase,
    value_axis,
)
from holdfast.record.wording import is_share, title
from holdfast.types import FloatArray, IntArray

__all__ = ["averaged", "curve", "has_band", "has_cost", "has_curve"]

_DECADES_FROM = 20.0  # from this ratio of the greatest to the least value on, a logarithmic scale tells more
_HIGHEST = 20.0  # so many times the others' greatest value may a diverged line reach within the plot
_DEEPEST = 1e-12  # what is smaller beside the greatest value is numerical noise
_ABSURD = 1e30  # a value beyond is drawn like one that is not finite
_NOISY, _AVERAGED = ("train_loss",), 21  # each value is of other batches, so that a long line shows averages
_HEIGHT = 3.6
_MOST_END_LABELS = 6
_LONGEST_END_LABEL = 20


@dataclass(frozen=True)
class _Line:
    """One variant's line, finite ``y`` over ``x``, and (4, S) ``band`` over ``band_x``: least, low, high, greatest."""

    variant: str
    index: int
    x: FloatArray
    y: FloatArray
    cut: bool
    band_x: FloatArray
    band: FloatArray


def has_curve(run: Run, metric: str) -> bool:
    """Whether any variant has a finite value of the metric."""
    return bool(_lines(run, metric, None))


def has_cost(run: Run, metric: str, cost: str) -> bool:
    """Whether any variant has the metric after it has spent something."""
    return any(line.x[-1] > 0 for line in _lines(run, metric, cost))


def has_band(run: Run, metric: str) -> bool:
    """Whether any variant has the metric for single nodes."""
    return any(run.per_node(v, metric) is not None for v in run.variants)


def averaged(run: Run, metric: str) -> int:
    """Over how many values the longest line is averaged; 1 where none is."""
    longest = max((len(line.y) for line in _lines(run, metric, None)), default=0)
    return _AVERAGED if metric in _NOISY and longest > 2 * _AVERAGED else 1


def curve(run: Run, metric: str, cost: str | None, theme: Theme, with_front: bool = False) -> Figure:
    """Draw the metric of every variant.

    Args:
        run: the run.
        metric: a metric of the whole run, which some variant has.
        cost: over what was spent so far, one of the costs that were recorded; None for the rounds.
        theme: the colours.
        with_front: whether the Pareto front is drawn behind the curves, and the variants on it are in bold.
    """
    lines = _lines(run, metric, cost)
    logarithmic = _spans_decades(metric, lines)
    figure = new_figure(theme, WIDTH, _HEIGHT + _legend_height(lines))
    axes = figure.add_subplot()
    dress(axes, theme, title(metric), "round")
    best = pareto(run, metric, cost) if with_front and cost else None
    if cost:
        size = cost_axis(axes, cost, np.array([line.x[-1] for line in lines]))
        lines = [kept for line in lines if (kept := _scaled(line, size, axes.get_xscale() == "log")) is not None]
        _front(axes, run, best, size, lines, theme)
    else:
        round_axis(axes)
    for line in lines:
        _draw(axes, line, theme, cost is not None)
    _limits(axes, metric, lines, logarithmic)
    bold = list(run.variants) if best is None else best.variants
    (_end_labels if _has_end_labels(lines) else _legend)(axes, lines, theme, bold)
    return figure


def _lines(run: Run, metric: str, cost: str | None) -> list[_Line]:
    found = (_line(run, variant, metric, cost) for variant in run.variants)
    return [line for line in found if line is not None]


def _line(run: Run, variant: str, metric: str, cost: str | None) -> _Line | None:
    series = run.series(variant, metric)
    if series is None or (cost and spent(run, variant, cost, series.rounds) is None):
        return None
    finite_R = np.abs(series.values) < _ABSURD
    if not finite_R.any():
        return None

    def place(rounds_R: IntArray | FloatArray) -> FloatArray:
        costs_R = spent(run, variant, cost, rounds_R) if cost else None
        return rounds_R.astype(np.float64) if costs_R is None else costs_R

    x_R, y_R = place(series.rounds[finite_R]), series.values[finite_R]
    rounds_S, band_4S = _band(run, variant, metric)
    if metric in _NOISY:
        y_R, band_4S = _averaged(y_R), _averaged(band_4S)
    cut = run.diverged(variant) or not finite_R.all()
    return _Line(variant, run.variants.index(variant), x_R, y_R, cut, place(rounds_S), band_4S)


def _averaged(values: FloatArray) -> FloatArray:
    """(…, R) values, or where there are many their moving averages."""
    long = values.shape[-1] > 2 * _AVERAGED
    return uniform_filter1d(values, _AVERAGED) if long else values


def _front(axes: Axes, run: Run, best: Front | None, size: float, lines: list[_Line], theme: Theme) -> None:
    """Draw the Pareto front to where the last line ends, without its start at no cost."""
    if best is None:
        return
    kept_P = best.costs > 0
    holders = [name for name, kept in zip(best.holders, kept_P, strict=True) if kept]
    if holders:
        end = max(float(line.x[-1]) for line in lines)
        colours = [theme.colour(run.variants.index(name)) for name in holders]
        staircase(axes, best.costs[kept_P] / size, best.values[kept_P], end, colours, theme)


def _band(run: Run, variant: str, metric: str) -> tuple[FloatArray, FloatArray]:
    """The rounds with two or more honest nodes, and over them least, tenth and ninetieth percentile, and greatest."""
    series = run.per_node(variant, metric)
    rows = []
    for round, values in series.without(run.byzantine(variant)).by_round() if series is not None else ():
        finite = values[np.isfinite(values)]
        if len(finite) > 1:
            rows.append((round, *np.percentile(finite, [0, 10, 90, 100])))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    return columns[0], columns[1:]


def _spans_decades(metric: str, lines: list[_Line]) -> bool:
    values = np.concatenate([line.y for line in lines])
    if is_share(metric) or values.min() < 0 or not (values > 0).any():
        return False
    return bool(values.max() / values[values > 0].min() > _DECADES_FROM)


def _scaled(line: _Line, size: float, logarithmic: bool) -> _Line | None:
    """The line in units of a size; without its start at no cost, which a logarithmic axis does not have."""
    least = np.finfo(np.float64).tiny if logarithmic else 0.0
    kept_R, kept_S = line.x >= least, line.band_x >= least
    band = line.band_x[kept_S] / size, line.band[:, kept_S]
    kept = _Line(line.variant, line.index, line.x[kept_R] / size, line.y[kept_R], line.cut, *band)
    return kept if kept_R.any() else None


def _draw(axes: Axes, line: _Line, theme: Theme, mark_end: bool) -> None:
    colour = theme.colour(line.index)
    if len(line.band_x) > 1:
        least, low, high, greatest = line.band
        axes.fill_between(line.band_x, low, high, color=colour, alpha=0.16, linewidth=0)
        for edge in (least, greatest):
            axes.plot(line.band_x, edge, color=colour, alpha=0.5, linewidth=0.6, gid="edge", zorder=2)
    few = len(line.x) <= 15
    points: dict[str, Any] = {"marker": "o", "markersize": 3.2} if few else {}
    style = theme.line_style(line.index)
    axes.plot(line.x, line.y, color=colour, linestyle=style, linewidth=1.9, zorder=3, **points)
    if mark_end and not line.cut:
        axes.scatter(line.x[-1:], line.y[-1:], s=42, color=colour, linewidths=0, zorder=4)
    if line.cut:
        axes.plot(line.x[-1:], line.y[-1:], "x", color=colour, markersize=8, mew=2.2, zorder=4)


def _limits(axes: Axes, metric: str, lines: list[_Line], logarithmic: bool) -> None:
    """Show all of every steady line, and as much of a diverging one as leaves the others readable."""
    if logarithmic:
        axes.set_yscale("log", nonpositive="mask")
    highest = max(float(line.y.max()) for line in lines)
    bound = max(float(line.y.max()) for line in [line for line in lines if not line.cut] or lines)
    low, high = axes.get_ylim()
    if logarithmic and low < high * _DEEPEST:
        axes.set_ylim(bottom=high * _DEEPEST)
    if is_share(metric) and highest <= 1:
        axes.set_ylim(max(low, -0.02), min(high, 1.02))
    elif bound > 0 and highest > _HIGHEST * bound:
        axes.set_ylim(top=(_HIGHEST if logarithmic else 1.6) * bound)
    value_axis(axes, metric, logarithmic)


def _has_end_labels(lines: list[_Line]) -> bool:
    longest = max(len(line.variant) for line in lines)
    return len(lines) <= _MOST_END_LABELS and longest <= _LONGEST_END_LABEL


def _legend_columns(lines: list[_Line]) -> int:
    return max(1, min(4, 66 // (max(min(len(line.variant), 28) for line in lines) + 6)))


def _legend_height(lines: list[_Line]) -> float:
    """How many inches a legend needs under the plot."""
    return 0.0 if _has_end_labels(lines) else 0.2 * -(-len(lines) // _legend_columns(lines))


def _end_labels(axes: Axes, lines: list[_Line], theme: Theme, bold: list[str]) -> None:
    """Name each line on the right at the height of its end, pushed apart where two would overlap."""
    ends = np.array([[1.0, line.y[-1]] for line in lines])
    heights = np.nan_to_num(axes.transLimits.transform(axes.transScale.transform(ends))[:, 1])
    for line, height in zip(lines, _apart(heights, 0.072), strict=True):
        style: dict[str, Any] = {
            "fontsize": 9.5,
            "fontweight": "bold" if line.variant in bold else "normal",
            "va": "center",
            "annotation_clip": False,
        }
        colour = theme.colour(line.index)
        axes.annotate(_label(line), (1.015, height), xycoords="axes fraction", color=colour, **style)


def _label(line: _Line) -> str:
    """The variant's name, with the sign that ends the line of one that diverged."""
    return literal(line.variant) + (" \N{MULTIPLICATION SIGN}" if line.cut else "")


def _apart(heights: FloatArray, gap: float) -> list[float]:
    """Heights in [0, 1] in the same order, each at least a gap from the next."""
    order = np.argsort(heights, kind="stable")
    placed = np.clip(heights[order], 0.0, 1.0)
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + gap)
    over = placed[-1] - 1.0
    for i in range(len(placed) - 1, -1, -1) if over > 0 else ():
        placed[i] = min(placed[i], 1.0 - (len(placed) - 1 - i) * gap)
    result = np.empty_like(placed)
    result[order] = placed
    return [float(height) for height in result]


def _legend(axes: Axes, lines: list[_Line], theme: Theme, bold: list[str]) -> None:
    handles = [handle for handle in axes.lines if handle.get_marker() != "x" and handle.get_gid() != "edge"]
    numbers = [str(number) for number in range(len(handles))]
    legend = axes.legend(
        handles, numbers, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=_legend_columns(lines),
        frameon=False, fontsize=9, labelcolor=theme.ink, handlelength=2.2, columnspacing=1.4,
    )  # fmt: skip
    for text, line in zip(legend.get_texts(), lines, strict=True):
        text.set_fontweight("bold" if line.variant in bold else "normal")
        text.set_text(_label(line))  # given as a label, a name like "_x" would be left out
