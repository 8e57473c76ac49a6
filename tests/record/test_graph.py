from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from holdfast.record import film, page
from holdfast.record.graph import down, draw_graph, graph_films, graph_plots, values_at
from holdfast.record.recorder import Recorder
from holdfast.record.run_data import Run, load_run
from holdfast.record.summary import summarise
from holdfast.record.theme import LIGHT


def frames(nodes: int, edges: list[list[int]], rounds: tuple[int, ...] = (1,)) -> list[dict[str, Any]]:
    places = [[node / nodes, (node % 2) / 2] for node in range(nodes)]
    return [{"round": round, "edges": edges, "places": places} for round in rounds]


def written(directory: Path, nodes: int = 3, variants: tuple[str, ...] = ("v",), **graph: Any) -> Run:
    """A run of peers: node 0 lies, node 1 is down from round 2 to 4, and each is evaluated in rounds 1 and 3."""
    for variant in variants:
        with Recorder(directory, variant) as recorder:
            recorder.event(0, "byzantine", nodes=[0])
            recorder.event(2, "crash", node=1)
            recorder.event(4, "return", node=1)
            for round in (1, 3):
                recorder.metric(round, "test_accuracy", 0.5)
                recorder.metrics(round, "test_accuracy", np.arange(nodes), np.arange(nodes) / 10 + round / 100)
    about = {"variants": list(variants), "topology": "path", "nodes": nodes, "directed": False, "changes": False}
    summarise(directory, {"graphs": [about | {"frames": frames(nodes, [[0, 1]])} | graph]})
    return load_run(directory)


def test_nodes_are_shown_as_they_were_last_evaluated(tmp_path: Path) -> None:
    run = written(tmp_path)
    assert values_at(run, "v", "test_accuracy", 3, round=2).tolist() == pytest.approx([0.01, 0.11, 0.21])
    assert values_at(run, "v", "test_accuracy", 4, round=9)[:3].tolist() == pytest.approx([0.03, 0.13, 0.23])
    assert np.isnan(values_at(run, "v", "test_accuracy", 3, round=0)).all()
    assert np.isnan(values_at(run, "v", None, 3, round=9)).all()


def test_who_is_down_is_told_by_the_events(tmp_path: Path) -> None:
    run = written(tmp_path)
    assert [np.flatnonzero(down(run, "v", 3, round)).tolist() for round in (1, 2, 3, 4)] == [[], [1], [1], []]


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize(("nodes", "edges"), [(1, []), (2, [[0, 1]]), (4, [[0, 1], [2, 3]]), (50, [[0, 1], [1, 0]])])
def test_small_broken_and_large_graphs_are_drawn(
    tmp_path: Path, nodes: int, edges: list[list[int]], directed: bool
) -> None:
    run = written(tmp_path, nodes, frames=frames(nodes, edges), directed=directed)
    [plot] = graph_plots(run)
    page.draw([plot], tmp_path)
    assert plot.path(tmp_path).stat().st_size > 1000
    assert not list(graph_films(run))
    assert ("An arrow" in plot.caption) == directed


def test_there_is_a_panel_for_each_variant(tmp_path: Path) -> None:
    run, figure = written(tmp_path, variants=("one", "two")), Figure()
    draw_graph(run, run.summary["graphs"][0], LIGHT, figure, 0)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["one", "two", ""]  # the last is the colour bar


def test_liars_are_diamonds_and_who_is_down_is_hollow(tmp_path: Path) -> None:
    run, figure = written(tmp_path, changes=True, frames=frames(3, [[0, 1]], (3,))), Figure()
    draw_graph(run, run.summary["graphs"][0], LIGHT, figure, 0)
    honest, liars = (dots for dots in figure.axes[0].collections if isinstance(dots, PathCollection))
    assert len(liars.get_offsets()) == 1
    filled = [tuple(colour) != (1, 1, 1, 1) for colour in np.asarray(honest.get_facecolors())]
    assert filled == [False, True]


def test_the_caption_tells_how_well_the_graph_connects(tmp_path: Path) -> None:
    [plot] = graph_plots(written(tmp_path, spectral_gap=0.25, algebraic_connectivity=1.0))
    assert "spectral gap 0.25, algebraic connectivity 1." in plot.caption
    assert "test accuracy" in plot.caption


def test_a_graph_that_changes_has_a_film(tmp_path: Path) -> None:
    run = written(tmp_path, changes=True, frames=frames(3, [[0, 1]], (1, 2, 4)))
    [shown] = graph_films(run)
    found = film.shoot(shown, tmp_path)
    assert [frame["label"] for frame in found["frames"]] == ["round 1", "round 2", "round 4"]
    assert shown.path(tmp_path).read_bytes().startswith(b"GIF89a")
    [plot] = graph_plots(run)
    assert plot.caption.endswith("In round 4.")


def test_without_places_nothing_is_drawn(tmp_path: Path) -> None:
    assert not list(graph_plots(written(tmp_path, frames=[])))


def test_where_all_nodes_are_alike_the_colours_stay_shares(tmp_path: Path) -> None:
    with Recorder(tmp_path, "v") as recorder:
        recorder.metric(1, "test_accuracy", 0.9)
        recorder.metrics(1, "test_accuracy", [0, 1], [0.9, 0.9])
    graph = {"variants": ["v"], "topology": "path", "nodes": 2, "directed": False, "changes": False}
    summarise(tmp_path, {"graphs": [graph | {"frames": frames(2, [[0, 1]])}]})
    run, figure = load_run(tmp_path), Figure()
    draw_graph(run, run.summary["graphs"][0], LIGHT, figure, 0)
    assert figure.axes[-1].get_ylim() == (0.4, 1.0)
