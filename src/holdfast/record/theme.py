"""How every plot looks: one light and one dark theme, one colour and line style a variant, quiet axes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from holdfast.record.wording import COSTS, cost_unit, is_share, shown
from holdfast.types import FloatArray

__all__ = [
    "DARK",
    "DPI",
    "LIGHT",
    "LINE_STYLES",
    "Theme",
    "cost_axis",
    "dress",
    "literal",
    "new_figure",
    "round_axis",
    "staircase",
    "value_axis",
]

DPI = 150
_DECADES_FROM = 20.0  # from this ratio of the greatest to the least cost on, a logarithmic scale tells more
WIDTH, FULL_WIDTH = 5.6, 11.4  # of a plot, and of one as wide as two beside each other, in inches
LINE_STYLES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (6, 2, 1.2, 2)))
"""Where there are more variants than colours, the colours come again with the next of these."""


@dataclass(frozen=True)
class Theme:
    """The colours of one colour scheme.

    ``variants`` are near the hues of Okabe & Ito (2008), ``classes`` near those of Tol's "muted" scheme
    (2021): both stay apart for readers who see fewer colours.
    """

    name: str
    background: str
    ink: str
    muted: str
    grid: str
    variants: tuple[str, ...]
    classes: tuple[str, ...]

    def colour(self, index: int) -> str:
        """The colour of a variant by its place in the run."""
        return self.variants[index % len(self.variants)]

    def line_style(self, index: int) -> Any:
        """The line style of a variant by its place in the run."""
        return LINE_STYLES[index // len(self.variants) % len(LINE_STYLES)]

    def class_colours(self, count: int) -> list[str]:
        """A colour for each class: distinct hues for a few, a scale from dark to light for many."""
        if count <= len(self.classes):
            return list(self.classes[:count])
        return [to_hex(rgba) for rgba in colormaps["viridis"](np.linspace(0.05, 0.95, count))]


LIGHT = Theme(
    name="light",
    background="#ffffff",
    ink="#1f2328",
    muted="#5f6872",
    grid="#e7eaed",
    variants=("#0072b2", "#d55e00", "#009e73", "#c05d95", "#c98a00", "#3f9fd8", "#5f6872"),
    classes=(
        *("#332288", "#88ccee", "#117733", "#ddcc77", "#cc6677"),
        *("#44aa99", "#882255", "#999933", "#aa4499", "#c9cdd2"),
    ),
)
DARK = Theme(
    name="dark",
    background="#161a1f",
    ink="#e6e9ec",
    muted="#9aa4ae",
    grid="#2b3138",
    variants=("#4ea3e0", "#f58742", "#2fbf94", "#e493c2", "#e9b44c", "#9fd3f2", "#aab2bb"),
    classes=(
        *("#6f62d6", "#88ccee", "#2f9e58", "#ddcc77", "#dd7788"),
        *("#44bba8", "#b0487c", "#a9a944", "#c164b3", "#8b929b"),
    ),
)


def new_figure(theme: Theme, width: float, height: float) -> Figure:
    """An empty figure of that many inches in the theme's background."""
    layout = ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.09)
    return Figure(figsize=(width, height), dpi=DPI, facecolor=theme.background, layout=layout)


def literal(text: str, longest: int = 28) -> str:
    r"""The text so that matplotlib shows it letter by letter, shortened where it is very long.

    Example:
        >>> literal("a$b$"), literal("x" * 40)[-3:]
        ('a\\$b\\$', 'xx…')
    """
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return " ".join(short.split()).replace("$", r"\$")


def dress(axes: Axes, theme: Theme, title: str = "", x: str = "", grid: str = "y") -> None:
    """Give axes the theme's colours, a heading on the left, and nothing that carries no data."""
    axes.set_facecolor(theme.background)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.muted)
        spine.set_linewidth(0.8)
    axes.tick_params(which="both", colors=theme.muted, labelsize=9, length=3, width=0.8)
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(visible=True, axis=grid, color=theme.grid, linewidth=0.8)  # type: ignore[arg-type]
    if title:
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=theme.ink, pad=10)
    if x:
        axes.set_xlabel(x, fontsize=9.5, color=theme.muted, labelpad=5)


def round_axis(axes: Axes) -> None:
    """Ticks at whole rounds (or nodes) only."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, steps=[1, 2, 5, 10]))


def value_axis(axes: Axes, metric: str, logarithmic: bool) -> None:
    """Ticks that suit the metric and the range in view: per cent, or round figures on a logarithmic scale."""
    low, high = axes.get_ylim()
    if logarithmic:
        few = high / low < 1e3
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=9))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.minorticks_off()
    elif is_share(metric) and low > -0.1 and high < 1.1:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))


def cost_axis(axes: Axes, cost: str, ends: FloatArray) -> float:
    """Label the axis of a cost in units for people; logarithmic where some spend far less than others.

    Args:
        axes: the axes.
        cost: one of the costs of `holdfast.record.wording.COSTS`.
        ends: what each line or point has spent; some of it above 0.

    Returns:
        The size of the axis's unit, by which amounts are to be divided.
    """
    least, most = ends[ends > 0].min(), ends.max()
    if most / least > _DECADES_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(cost, value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(COSTS[cost])
        return 1.0
    size, unit = cost_unit(cost, most)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlabel(f"{COSTS[cost]}, in {unit}" if unit else COSTS[cost])
    return size


def staircase(axes: Axes, x_P: FloatArray, y_P: FloatArray, end: float, colours: list[str], theme: Theme) -> None:
    """Draw a Pareto front behind the data: from each point level to the next, in the colour of who holds it."""
    right_P = np.append(x_P[1:], max(end, x_P[-1]))
    steps_P22 = np.stack([np.stack([x_P, y_P], axis=1), np.stack([right_P, y_P], axis=1)], axis=1)
    changes = [0, *(at for at in range(1, len(colours)) if colours[at] != colours[at - 1]), len(colours)]
    for start, stop in pairwise(changes):
        before = steps_P22[start - 1, 1:] if start else steps_P22[:0, 0]
        path = np.concatenate([before, steps_P22[start:stop].reshape(-1, 2)])
        style: dict[str, Any] = {
            "linewidths": 6,
            "capstyle": "butt",
            "joinstyle": "miter",
            "zorder": 1.5,
            "alpha": 0.35,
        }
        axes.add_collection(LineCollection([path], colors=colours[start], **style), autolim=False)
    note: dict[str, Any] = {"loc": "right", "fontsize": 9, "color": theme.muted, "pad": 10}
    axes.set_title("broad line: Pareto front", **note)
