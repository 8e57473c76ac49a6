"""The pictures of a sweep: heat maps over two axes, curves over an axis of numbers, and quality against cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from holdfast.record.theme import (
    FULL_WIDTH,
    WIDTH,
    Theme,
    cost_axis,
    dress,
    literal,
    new_figure,
    staircase,
    value_axis,
)
from holdfast.record.wording import is_share, less_is_better, shown, title
from holdfast.sweep.robust import Tile

__all__ = ["Grid", "Line", "Spot", "curves", "heat", "is_wide", "scale", "scatter"]

_CELL, _LETTER = 0.72, 0.082  # the least width of a cell and the width of a letter, in inches
_DECADES_FROM = 20.0
_MARKERS = "os^DvPX*"  # one more than there are colours
_SHORT = {"diverged": "diverged", "failed": "failed", "interrupted": "stopped", "waiting": "waiting"}
Range = tuple[float, float]


@dataclass(frozen=True)
class Grid:
    """What a heat map shows.

    Args:
        heading: above it.
        metric: the metric.
        row_axis, col_axis: what the rows and the columns are.
        rows, cols: their labels.
        tiles: by the places of row and column.
    """

    heading: str
    metric: str
    row_axis: str
    col_axis: str
    rows: tuple[str, ...]
    cols: tuple[str, ...]
    tiles: Mapping[tuple[int, int], Tile]


@dataclass(frozen=True)
class Line:
    """One line of a plot: its name, its place among the colours, and a tile at each number."""

    name: str
    place: int
    points: Sequence[tuple[float, Tile]]


@dataclass(frozen=True)
class Spot:
    """One dot of a plot over a cost: what it costs, what it is worth, and its label's place and name."""

    cost: float
    tile: Tile
    place: int
    name: str


def _spread(tiles: Mapping[tuple[int, int], Tile]) -> bool:
    return any(tile.count > 1 for tile in tiles.values())


def is_wide(grid: Grid) -> bool:
    """Whether a heat map wants the whole width of a page."""
    return _names_width(grid) + _CELL * len(grid.cols) > WIDTH - 0.2


def _names_width(grid: Grid) -> float:
    return 0.5 + _LETTER * max(len(literal(name)) for name in grid.rows)


def scale(metric: str, grids: Sequence[Grid]) -> Normalize:
    """One scale of colours for several heat maps; logarithmic for a loss that spans decades."""
    means = [t.mean for grid in grids for t in grid.tiles.values() if t.status == "done"] or [0.0, 1.0]
    low, high = min(means), max(means)
    if not is_share(metric) and low > 0 and high / low > _DECADES_FROM:
        return LogNorm(low, high)
    return Normalize(low, high if high > low else low + 1)


def heat(grid: Grid, norm: Normalize, theme: Theme) -> Figure:
    """Draw a heat map with the number in each cell, and the spread over the seeds under it; brighter is better."""
    wide = is_wide(grid)
    width = FULL_WIDTH if wide else WIDTH
    cell = (width - _names_width(grid)) / len(grid.cols)
    turned = max(len(literal(name)) for name in grid.cols) * _LETTER > cell
    head = 0.75 + (0.055 * max(len(literal(name)) for name in grid.cols) if turned else 0.2)
    figure = new_figure(theme, width, head + (0.46 if _spread(grid.tiles) else 0.36) * len(grid.rows))
    axes = figure.add_subplot()
    _frame(axes, grid, turned, theme)
    heading: dict[str, Any] = {"x": 0.02, "ha": "left", "fontsize": 11, "fontweight": "bold", "color": theme.ink}
    figure.suptitle(literal(grid.heading, 90), **heading)  # over the whole width: the cells may be narrow
    size = min(9.0, 9.0 * cell / 0.62)
    for (row, col), tile in grid.tiles.items():
        _tile(axes, row, col, tile, grid.metric, norm, size, theme)
    return figure


def _frame(axes: Axes, grid: Grid, turned: bool, theme: Theme) -> None:
    dress(axes, theme, "", literal(grid.col_axis), grid="")
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, len(grid.cols))
    axes.set_ylim(len(grid.rows), 0)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    slant: dict[str, Any] = {"rotation": 38, "ha": "left", "rotation_mode": "anchor"} if turned else {}
    places = np.arange(len(grid.cols)) + 0.5
    axes.set_xticks(places, [literal(name) for name in grid.cols], color=theme.ink, **slant)
    axes.set_yticks(np.arange(len(grid.rows)) + 0.5, [literal(name) for name in grid.rows], color=theme.ink)
    axes.tick_params(length=0)
    axes.set_ylabel(literal(grid.row_axis), fontsize=9.5, color=theme.muted)


def _tile(axes: Axes, row: int, col: int, tile: Tile, metric: str, norm: Normalize, size: float, theme: Theme) -> None:
    box: dict[str, Any] = {"xy": (col, row), "width": 1, "height": 1, "edgecolor": theme.background, "linewidth": 2}
    if tile.status == "impossible":
        axes.add_patch(Rectangle(**{**box, "edgecolor": theme.muted, "linewidth": 0}, facecolor="none", hatch="////"))
        axes.add_patch(Rectangle(**box, facecolor="none"))
        return
    colour = _colour(tile, metric, norm, theme)
    axes.add_patch(Rectangle(**box, facecolor=colour))
    ink = _readable(colour)
    style: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
    if tile.status != "done":
        axes.text(col + 0.5, row + 0.5, _SHORT[tile.status], fontsize=0.85 * size, style="italic", **style)
        return
    spread = tile.count > 1
    axes.text(col + 0.5, row + (0.36 if spread else 0.5), shown(metric, tile.mean), fontsize=size, **style)
    if spread:
        axes.text(col + 0.5, row + 0.74, f"± {shown(metric, tile.std)}", fontsize=0.76 * size, **style)


def _colour(tile: Tile, metric: str, norm: Normalize, theme: Theme) -> tuple[float, float, float]:
    """Brighter for better; what diverged is the worst, and what was not measured has no colour."""
    if tile.status not in ("done", "diverged"):
        return to_rgb(theme.grid)
    scales = colormaps["viridis_r" if less_is_better(metric) else "viridis"]
    worst = 1.0 if less_is_better(metric) else 0.0
    return to_rgb(scales(worst if tile.status == "diverged" else float(norm(tile.mean))))


def _readable(colour: tuple[float, float, float]) -> str:
    """Black or white, whichever stands out more from the colour by the contrast ratio of WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"


def curves(lines: Sequence[Line], heading: str, x: str, each: str, metric: str, theme: Theme) -> Figure:
    """Draw a line for each name, of what ``each`` says: means over the seeds, and their spread as bars."""
    columns = max(1, min(4, 62 // (max(len(literal(line.name)) for line in lines) + 7)))
    figure = new_figure(theme, WIDTH, 3.8 + 0.2 * -(-len(lines) // columns))
    axes = figure.add_subplot()
    dress(axes, theme, literal(heading, 60), literal(x))
    numbers = sorted({number for line in lines for number, _ in line.points})
    done = [t.mean for line in lines for _, t in line.points if t.status == "done"]
    logarithmic = bool(done) and not is_share(metric) and 0 < min(done) * _DECADES_FROM < max(done)
    if logarithmic:
        axes.set_yscale("log")
    place = _x_axis(axes, numbers)
    for order, line in enumerate(lines):
        beside = 0.012 if any(tile.std for one in lines for _, tile in one.points) else 0.0  # so that bars stay apart
        _line(axes, line, place, (order - (len(lines) - 1) / 2) * beside, theme)
    if is_share(metric) and done and min(done) >= 0 and max(done) <= 1:
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -0.03), min(high, 1.03))
    value_axis(axes, metric, logarithmic)
    axes.set_ylabel(title(metric).lower(), fontsize=9.5, color=theme.muted)
    legend = axes.legend(
        title=literal(each) or None, title_fontproperties={"size": 9},
        loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=columns, frameon=False, fontsize=9,
        labelcolor=theme.ink, handlelength=2.6, columnspacing=1.4,
    )  # fmt: skip
    legend.get_title().set_color(theme.muted)
    for text, line in zip(legend.get_texts(), lines, strict=True):
        text.set_text(literal(line.name))  # given as a label, a name like "_x" would be left out
    return figure


def _x_axis(axes: Axes, numbers: Sequence[float]) -> Any:
    """Where each number stands, from 0 to 1: by its size, or by its order of magnitude where they span decades."""
    positive = len(numbers) > 2 and numbers[0] > 0 and numbers[-1] / numbers[0] > _DECADES_FROM
    sizes = np.log10(numbers) if positive else np.array(numbers, dtype=np.float64)
    span = float(sizes[-1] - sizes[0]) or 1.0
    places = {number: float(size - sizes[0]) / span for number, size in zip(numbers, sizes, strict=True)}
    kept = [n for i, n in enumerate(numbers) if i == 0 or places[n] - places[numbers[i - 1]] > 0.02]
    axes.set_xticks([places[n] for n in kept], [f"{n:g}" for n in kept])
    axes.set_xlim(-0.08, 1.08)
    return places


def _line(axes: Axes, line: Line, place: Mapping[float, float], shift: float, theme: Theme) -> None:
    colour, marker = theme.colour(line.place), _MARKERS[line.place % len(_MARKERS)]
    points = sorted(line.points, key=lambda point: point[0])
    x = np.array([place[number] + shift for number, _ in points])
    y = np.array([tile.mean for _, tile in points])
    spread = np.array([tile.std for _, tile in points])
    axes.errorbar(
        x, y, spread if spread.any() else None, color=colour, linestyle=theme.line_style(line.place), marker=marker,
        markersize=4.5, linewidth=1.8, elinewidth=1.1, zorder=3, label=f"line {line.place}",
    )  # fmt: skip
    statuses = [tile.status for _, tile in points]
    for at, status in enumerate(statuses):
        if status == "diverged":
            axes.plot(x[at], 0.02, "x", color=colour, markersize=8, mew=2.2, transform=axes.get_xaxis_transform())
        if status == "impossible" and at and statuses[at - 1] == "done":
            ring: dict[str, Any] = {"markersize": 11, "markerfacecolor": "none", "markeredgewidth": 1.6}
            axes.plot(x[at - 1], y[at - 1], "s", color=colour, zorder=4, **ring)


def scatter(spots: Sequence[Spot], front: Sequence[int], cost: str, metric: str, each: str, theme: Theme) -> Figure:
    """Draw a dot for each spot, means over the seeds with their spread as bars, before their Pareto front.

    Args:
        spots: the spots.
        front: the places of those on the front, the cheapest first.
        cost: the cost.
        metric: what they are worth.
        each: what the colours tell apart.
        theme: the colours.
    """
    names = dict(sorted({spot.place: spot.name for spot in spots}.items()))
    figure = new_figure(theme, FULL_WIDTH, 4.6)
    axes = figure.add_subplot()
    dress(axes, theme, title(metric), "-")
    costs_P, values_P = np.array([(spot.cost, spot.tile.mean) for spot in spots]).T
    size = cost_axis(axes, cost, costs_P)
    for place in names:
        _spots(axes, [spot for spot in spots if spot.place == place], size, theme)
    best = [at for at in front if axes.get_xscale() == "linear" or spots[at].cost > 0]
    if best:
        colours = [theme.colour(spots[at].place) for at in best]
        staircase(axes, costs_P[best] / size, values_P[best], costs_P.max() / size, colours, theme)
    logarithmic = not is_share(metric) and values_P.min() > 0 and values_P.max() / values_P.min() > _DECADES_FROM
    if logarithmic:
        axes.set_yscale("log")
    value_axis(axes, metric, logarithmic)
    legend = axes.legend(
        title=literal(each), title_fontproperties={"size": 9}, loc="center left", bbox_to_anchor=(1.0, 0.5),
        ncols=1 + len(names) // 20, frameon=False, fontsize=9, labelcolor=theme.ink, handletextpad=0.2,
    )  # fmt: skip
    legend.get_title().set_color(theme.muted)
    for text, name in zip(legend.get_texts(), names.values(), strict=True):
        text.set_text(literal(name))  # given as a label, a name like "_x" would be left out
    return figure


def _spots(axes: Axes, spots: Sequence[Spot], size: float, theme: Theme) -> None:
    x, y, spread = np.array([(spot.cost / size, spot.tile.mean, spot.tile.std) for spot in spots]).T
    place = spots[0].place
    axes.errorbar(
        x, y, spread if spread.any() else None, linestyle="none", marker=_MARKERS[place % len(_MARKERS)],
        color=theme.colour(place), markersize=6, markeredgewidth=0, elinewidth=1.1, alpha=0.85, label=f"place {place}",
    )  # fmt: skip
