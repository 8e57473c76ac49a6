"""Pictures of the graphs between peers: a panel a variant, with the state and the quality of every node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from holdfast.record.film import Film
from holdfast.record.page import Plot
from holdfast.record.pictures import spread_metric
from holdfast.record.run_data import Run
from holdfast.record.theme import FULL_WIDTH, LIGHT, WIDTH, Theme, dress, literal, new_figure
from holdfast.record.wording import is_share, title
from holdfast.types import BoolArray, FloatArray

__all__ = ["down", "draw_graph", "graph_films", "graph_plots", "values_at"]

_MOST_GRAPHS = 4
_MOST_PANELS = 6
_ACROSS = 3
_NUMBERED_UP_TO = 40
_COLOURS = "viridis"


def graph_plots(run: Run) -> Iterator[Plot]:
    """A plot of each graph: as it is, or as it was in the last of its frames."""
    for stem, graph in _graphs(run):
        words = _caption(run, graph) + f" In round {graph['frames'][-1]['round']}." * graph["changes"]
        yield Plot(stem, words, partial(_plot, run, graph), wide=len(_shown(run, graph)) > 1)


def graph_films(run: Run) -> Iterator[Film]:
    """A film of each graph that changes."""
    for stem, graph in _graphs(run):
        if graph["changes"]:
            labels = [f"round {frame['round']}" for frame in graph["frames"]]
            words = f"Who talks to whom, round after round; also as plots/{stem}_film.gif."
            yield Film(f"{stem}_film", words, labels, partial(draw_graph, run, graph, LIGHT), _size(run, graph))


def _graphs(run: Run) -> list[tuple[str, dict[str, Any]]]:
    """The graphs to draw, each with its name as a file."""
    graphs = [graph for graph in run.summary.get("graphs", []) if graph["frames"] and _shown(run, graph)]
    return [(f"graph_{n}" if n > 1 else "graph", graph) for n, graph in enumerate(graphs[:_MOST_GRAPHS], start=1)]


def _shown(run: Run, graph: Mapping[str, Any]) -> list[str]:
    """The variants that have a panel: the first few of those that use the graph."""
    return [variant for variant in graph["variants"] if variant in run.variants][:_MOST_PANELS]


def _size(run: Run, graph: Mapping[str, Any]) -> tuple[float, float]:
    panels = len(_shown(run, graph))
    return (WIDTH, 4.6) if panels < 2 else (FULL_WIDTH, 0.9 + 3.4 * -(-panels // _ACROSS))


def _plot(run: Run, graph: Mapping[str, Any], theme: Theme) -> Figure:
    figure = new_figure(theme, *_size(run, graph))
    draw_graph(run, graph, theme, figure, len(graph["frames"]) - 1)
    return figure


def _caption(run: Run, graph: Mapping[str, Any]) -> str:
    """What the plot shows, and how well the graph connects."""
    numbers = {"spectral_gap": "spectral gap", "algebraic_connectivity": "algebraic connectivity"}
    known = [f"{name} {graph[key]:.3g}" for key, name in numbers.items() if graph.get(key) is not None]
    words = f"Who talks to whom: {', '.join(known)}." if known else "Who talks to whom."
    words += " An arrow leads from who speaks to who hears." if graph["directed"] else ""
    metric = spread_metric(run)
    return words + (f" The colour is each node's {title(metric).lower()}." if metric else "")


def values_at(run: Run, variant: str, metric: str | None, nodes: int, round: int) -> FloatArray:
    """(N,) each node's value when it was last evaluated by the end of a round; NaN where it never was."""
    values_N = np.full(nodes, np.nan)
    series = run.per_node(variant, metric) if metric else None
    if series is not None:
        by_then_L = (series.rounds <= round) & (series.nodes < nodes)
        values_N[series.nodes[by_then_L]] = series.values[by_then_L]  # in the order of the rounds: the last one stays
    return values_N


def down(run: Run, variant: str, nodes: int, round: int) -> BoolArray:
    """(N,) which nodes are down in a round."""
    down_N = np.zeros(nodes, dtype=bool)
    for event in run.events:
        struck = event.kind in ("crash", "return") and event.node in range(nodes)
        if struck and event.variant == variant and event.round <= round:
            down_N[event.node] = event.kind == "crash"
    return down_N


def draw_graph(run: Run, graph: Mapping[str, Any], theme: Theme, figure: Figure, number: int) -> None:
    """Draw one frame of a graph.

    Args:
        run: the run.
        graph: one of the summary's ``graphs``.
        theme: the colours.
        figure: an empty figure.
        number: which of the graph's ``frames``; the nodes are shown as they were at the end of its round, or of a
            static graph at the end of the run.
    """
    variants, metric, frame = _shown(run, graph), spread_metric(run), graph["frames"][number]
    scale = _scale(run, variants, metric)
    panels = figure.subplots(-(-len(variants) // _ACROSS), min(len(variants), _ACROSS), squeeze=False).ravel()
    for axes, variant in zip(panels, variants, strict=False):
        round = frame["round"] if graph["changes"] else run.rounds(variant)
        values_N = values_at(run, variant, metric, graph["nodes"], round)
        states = np.isin(np.arange(graph["nodes"]), run.byzantine(variant)), down(run, variant, graph["nodes"], round)
        alone = f"{graph['topology'].replace('_', ' ')}: {graph['nodes']} nodes"
        heading = literal(variant) if len(variants) > 1 else alone
        dress(axes, theme, heading, grid="")
        _links(axes, graph, frame, theme)
        _nodes(axes, np.array(frame["places"]), values_N, states, scale, theme)
    for axes in panels:
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.set(xlim=(-0.1, 1.1), ylim=(-0.1, 1.1))
    if graph["changes"]:
        figure.suptitle(f"round {frame['round']}", fontsize=10, color=theme.muted)
    if metric is not None and scale is not None:
        _colour_bar(figure, panels, metric, scale, theme)
    _legend(figure, run, variants, theme)


def _scale(run: Run, variants: Sequence[str], metric: str | None) -> Normalize | None:
    """From the least to the greatest value that any node has in any round."""
    found = [series.values for v in variants if metric and (series := run.per_node(v, metric)) is not None]
    values = np.concatenate([np.zeros(0), *found])
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    return Normalize(low, high) if low < high else Normalize(low - 0.5, high + 0.5)


def _links(axes: Axes, graph: Mapping[str, Any], frame: Mapping[str, Any], theme: Theme) -> None:
    links = nx.DiGraph() if graph["directed"] else nx.Graph()
    links.add_nodes_from(range(graph["nodes"]))
    links.add_edges_from(frame["edges"])
    dense = links.number_of_edges() > 4 * graph["nodes"]
    width, alpha = (0.5, 0.35) if dense else (0.9, 0.7)
    places = dict(enumerate(frame["places"]))
    bent: dict[str, Any] = {"arrowsize": 7, "connectionstyle": "arc3,rad=0.08"} if graph["directed"] else {}
    style: dict[str, Any] = {"edge_color": theme.muted, "width": width, "alpha": alpha, **bent}
    nx.draw_networkx_edges(links, places, ax=axes, node_size=_area(graph["nodes"]), **style)


def _area(nodes: int) -> int:
    return 190 if nodes <= _NUMBERED_UP_TO else 70


def _nodes(
    axes: Axes,
    places_N2: FloatArray,
    values_N: FloatArray,
    states: tuple[BoolArray, BoolArray],
    scale: Normalize | None,
    theme: Theme,
) -> None:
    """The nodes: circles, Byzantine ones as diamonds, and without a filling where they are down."""
    (lies_N, down_N), size = states, _area(len(values_N))
    mapped = ScalarMappable(scale, _COLOURS)
    known_N = np.isfinite(values_N)
    colours_N4 = np.where(known_N[:, None], mapped.to_rgba(np.where(known_N, values_N, 0.0)), to_rgba(theme.muted))
    faces_N4 = np.where(down_N[:, None], to_rgba(theme.background), colours_N4)
    for chosen_N, marker in ((~lies_N, "o"), (lies_N, "D")):
        x, y = places_N2[chosen_N].T
        edges = [theme.muted if is_down else theme.background for is_down in down_N[chosen_N].tolist()]
        axes.scatter(x, y, s=size, marker=marker, c=faces_N4[chosen_N], edgecolors=edges, linewidths=1.2, zorder=3)
    for node, (x, y) in enumerate(places_N2 if len(places_N2) <= _NUMBERED_UP_TO else []):
        bright = faces_N4[node, :3] @ (0.299, 0.587, 0.114) > 0.55
        axes.text(x, y, str(node), ha="center", va="center", fontsize=7, color="black" if bright else "white", zorder=4)


def _colour_bar(figure: Figure, panels: Any, metric: str, scale: Normalize, theme: Theme) -> None:
    bar = figure.colorbar(ScalarMappable(scale, _COLOURS), ax=list(panels), shrink=0.6, aspect=26, pad=0.02)
    bar.set_label(title(metric), fontsize=9, color=theme.muted)
    bar.ax.tick_params(colors=theme.muted, labelsize=8.5, length=2)
    bar.outline.set_visible(False)
    if is_share(metric):
        bar.ax.set_ylim(max(0.0, scale.vmin or 0.0), min(1.0, scale.vmax or 1.0))
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _legend(figure: Figure, run: Run, variants: Sequence[str], theme: Theme) -> None:
    """What the marks mean, where there are others than honest nodes that run."""
    fallen = any(event.kind == "crash" and event.variant in variants for event in run.events)
    liars = any(run.byzantine(variant) for variant in variants)
    if not (fallen or liars):
        return
    kinds = [("o", theme.muted, "honest"), *([("D", theme.muted, "Byzantine")] if liars else [])]
    kinds += [("o", theme.background, "down")] if fallen else []
    edge: dict[str, Any] = {"linestyle": "", "markeredgecolor": theme.muted}
    handles = [Line2D([], [], marker=m, markerfacecolor=c, label=label, **edge) for m, c, label in kinds]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9, labelcolor=theme.ink
    )
