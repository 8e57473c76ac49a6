"""What quality costs over the cells of a sweep."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from holdfast.record.theme import LIGHT
from holdfast.sweep.axes import read_axes
from holdfast.sweep.grid import Cell, Sweep
from holdfast.sweep.price import price_plot, price_table, prices
from holdfast.sweep.report import write_report
from holdfast.sweep.results import Record
from holdfast.sweep.views import View

GRID = {"codec": ["float16", "int8"], "rounds": [1, 2], "nodes": [4], "seed": [1, 2]}
BYTES = {("float16", "1"): 200.0, ("float16", "2"): 400.0, ("int8", "1"): 100.0, ("int8", "2"): 200.0}
ACCURACY = {("float16", "1"): 0.5, ("float16", "2"): 0.8, ("int8", "1"): 0.4, ("int8", "2"): 0.7}


def records() -> list[Record]:
    found = []
    for codec, rounds, seed in itertools.product(("float16", "int8"), "12", "12"):
        sent, accuracy = BYTES[codec, rounds], ACCURACY[codec, rounds] + (0.1 if seed == "2" else -0.1)
        values = {"test_accuracy": accuracy, "bytes_up": 0.25 * sent, "bytes_down": 0.75 * sent}
        labels = {"codec": codec, "rounds": rounds, "nodes": "4", "seed": seed}
        found.append(Record(labels, "done", values=values))
    return found


def view(found: list[Record], grid: dict[str, object] = GRID) -> View:
    return View(read_axes(grid), found, "test_accuracy", 0.5)


def test_cells_that_differ_in_their_seed_alone_are_one_spot():
    (price,) = prices(view(records()))
    assert [axis.name for axis in price.axes] == ["codec", "rounds"]
    assert dict(zip(price.labels, [spot.cost for spot in price.spots], strict=True)) == BYTES
    assert [spot.tile.mean for spot in price.spots] == pytest.approx([0.5, 0.8, 0.4, 0.7])
    assert [price.labels[place] for place in price.front] == [("int8", "1"), ("int8", "2"), ("float16", "2")]


def test_the_table_names_the_cells_on_the_front():
    (price,) = prices(view(records()))
    table = price_table(price)
    assert table["axes"] == ["codec", "rounds"]
    assert [(row["quality"], row["cost"], row["less"], row["dot"]) for row in table["rows"]] == [
        ("40.0% ± 14.1%", "100 B", "4 times less", 1),
        ("70.0% ± 14.1%", "200 B", "2 times less", 1),
        ("80.0% ± 14.1%", "400 B", "", 0),
    ]


def test_the_picture_has_a_dot_a_spot_in_the_colours_of_the_first_axis():
    (price,) = prices(view(records()))
    plot = price_plot(price)
    assert "a dot the mean over the seeds" in plot.caption
    axes = plot.draw(LIGHT).axes[0]
    dots = {box.get_label(): np.asarray(box.lines[0].get_xdata()).tolist() for box in axes.containers}
    assert dots == {"place 0": [200.0, 400.0], "place 1": [100.0, 200.0]}
    stairs = [np.asarray(each.get_paths()[0].vertices) for each in axes.collections if each.get_zorder() == 1.5]
    assert [stair[:, 0].tolist() for stair in stairs] == [[100.0, 200.0, 200.0, 400.0], [400.0, 400.0, 400.0]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["float16", "int8"]


def test_where_all_cost_the_same_there_is_nothing_to_choose():
    same = [Record(r.labels, r.status, values={**r.values, "bytes_up": 5.0, "bytes_down": 5.0}) for r in records()]
    assert list(prices(view(same))) == []
    assert list(prices(view([Record(r.labels, "failed") for r in records()]))) == []


def test_a_cell_that_diverged_or_failed_is_left_out_and_virtual_time_is_a_cost():
    found = [Record(r.labels, r.status, values={**r.values, "virtual_seconds": 9.0}) for r in records()]
    found[0] = Record(found[0].labels, "diverged", values={**found[0].values, "test_accuracy": math.nan})
    found[6:] = [Record(record.labels, "failed") for record in found[6:]]
    found[4].values["virtual_seconds"] = found[5].values["virtual_seconds"] = 1.0
    in_bytes, in_time = prices(view(found))
    assert in_bytes.labels == in_time.labels == (("float16", "2"), ("int8", "1"))
    assert [spot.cost for spot in in_time.spots] == [9.0, 1.0]
    assert in_time.front == (1, 0)


@pytest.mark.parametrize("sent", [(0.0, 3.0), (0.0, 3.0, 3e6), (1.0, 1e6)])
def test_any_costs_can_be_drawn(sent: tuple[float, ...]):
    grid = {"codec": {f"_{x}": {"codec": "int8"} for x in range(len(sent))}}
    found = [
        Record({"codec": f"_{at}"}, "done", values={"test_accuracy": 0.5 - 0.1 * at, "bytes_up": x, "bytes_down": 0.0})
        for at, x in enumerate(sent)
    ]
    (price,) = prices(view(found, grid))
    assert price_plot(price).draw(LIGHT).axes


def test_the_report_has_the_picture_and_the_table(tmp_path: Path):
    cells = tuple(Cell(record.labels) for record in records())
    text = write_report(tmp_path, Sweep("s", tuple(read_axes(GRID)), cells, {}, tmp_path), records(), 0.5).read_text()
    assert "On the Pareto front of test accuracy against the bytes sent and received by all nodes" in text
    assert (tmp_path / "plots" / "dark" / "price-bytes.png").exists()
