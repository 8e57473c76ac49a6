"""The report of a sweep, from records that nobody had to run for."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps

from holdfast.record.theme import DARK, LIGHT
from holdfast.sweep.axes import read_axes
from holdfast.sweep.grid import Cell, Sweep
from holdfast.sweep.pictures import Grid, Line, _readable, curves, heat, scale
from holdfast.sweep.report import write_report
from holdfast.sweep.results import Record
from holdfast.sweep.robust import Tile
from holdfast.sweep.views import View, sections
from holdfast.sweep.words import verdict

from .tiny import record

ROBUST = {"aggregator": ["mean", "krum"], "attack": ["alie", "nan"], "attack.nodes": [0, 1, 2], "seed": [1, 2]}
ACCURACY = {("mean", "alie"): [0.9, 0.8, 0.7], ("mean", "nan"): [0.9, math.nan, math.nan]}
ACCURACY |= {("krum", "alie"): [0.8, 0.7], ("krum", "nan"): [0.8, 0.75]}


def robust() -> list[Record]:
    found = []
    for rule, attack, f, seed in itertools.product(("mean", "krum"), ("alie", "nan"), "012", "12"):
        labels = {"aggregator": rule, "attack": attack, "nodes": f, "seed": seed}
        values = ACCURACY[rule, attack]
        if int(f) >= len(values):
            found.append(record(None, "impossible", **labels))
        else:
            value = values[int(f)] + 0.02 * int(seed) - 0.03
            found.append(record(value, "done" if math.isfinite(value) else "diverged", int(f), **labels))
    return found


def view(grid: dict[str, object], records: list[Record], metric: str = "test_accuracy") -> View:
    return View(read_axes(grid), records, metric, 0.5)


def pictures(seen: View) -> dict[str, str]:
    return {picture.stem: picture.caption for _, each in sections(seen) for picture in each}


def test_the_verdict_tells_up_to_where_each_rule_holds():
    told = verdict(view(ROBUST, robust()), robust())
    assert told == (
        "Of 24 cells, 16 came to their end, 4 diverged and 4 are impossible for their rule. "
        "At least 50% of the quality is left under the worst attack "
        "up to nodes = 1 krum (70.0%, cannot be run beyond); up to nodes = 0 mean (90.0%, diverges beyond)."
    )


def test_a_robust_sweep_has_the_worst_case_its_curve_and_each_attack():
    found = pictures(view(ROBUST, robust()))
    assert list(found) == ["curve-worst-case", "heat-worst-case", "heat-nodes-0", "heat-nodes-1", "heat-nodes-2"]
    assert "A cross at the bottom: the model diverged." in found["curve-worst-case"]
    assert "Hatched" in found["heat-worst-case"]
    assert "the worst of the 2 attacks" in found["heat-worst-case"]
    assert "over 2 seeds" in found["heat-nodes-1"]


def test_the_report_holds_everything_and_needs_nothing(tmp_path: Path):
    records = [Record(robust()[0].labels, "failed", "<b>killed</b>"), *robust()[1:]]
    axes = tuple(read_axes(ROBUST))
    sweep = Sweep("a <b>", axes, tuple(Cell(r.labels) for r in records), {"grid": ROBUST}, tmp_path)
    text = write_report(tmp_path, sweep, records, 0.5).read_text()
    assert "Breakdown points" in text
    assert "nodes = 2 is more than the rule can be run with" in text
    assert "&lt;b&gt;killed" in text
    assert "<b>" not in text
    assert not re.search(r"""(src|href|srcset)="(?!data:|cells/|/report)""", text)
    assert {path.name for path in (tmp_path / "plots").glob("*.png")} == {
        path.name for path in (tmp_path / "plots" / "dark").glob("*.png")
    }


def test_a_sweep_of_which_nothing_was_measured_has_a_report_too(tmp_path: Path):
    records = [record(None, "failed", seed="1")]
    sweep = Sweep("none", tuple(read_axes({"seed": [1]})), (), {}, tmp_path)
    assert "No cell was measured." in write_report(tmp_path, sweep, records, 0.5).read_text()


def test_a_generic_sweep_is_drawn_over_its_two_largest_axes():
    grid = {"rounds": [5], "algorithm.optimizer.lr": [0.1, 1], "algorithm.batch_size": [8, 16, 32]}
    records = [
        Record({"rounds": "5", "lr": lr, "batch_size": b}, "done", values={"test_loss": float(b) * float(lr)})
        for lr in ("0.1", "1")
        for b in ("8", "16", "32")
    ]
    seen = view(grid, records, "test_loss")
    found = pictures(seen)
    assert list(found) == ["heat", "curve"]
    assert found["heat"].startswith("Test loss by batch_size and lr. ")
    assert "The best test loss is 0.8 (batch_size = 8, lr = 0.1, rounds = 5), and the worst is 32" in verdict(
        seen, records
    )


@pytest.mark.parametrize(
    ("grid", "drawn"),
    [
        ({"seed": [1, 2]}, ["heat"]),
        ({"rule": {"a": {"aggregator": "mean"}}}, ["heat"]),
        ({"rounds": [1, 2]}, ["heat", "curve"]),
    ],
)
def test_one_axis_is_enough(grid, drawn):
    (axis,) = read_axes(grid)
    seen = view(grid, [record(0.5, **{axis.name: label}) for label in axis.labels])
    assert list(pictures(seen)) == drawn


def drawn(seen: View, stem: str):
    return next(p for _, each in sections(seen) for p in each if p.stem == stem).draw(LIGHT)


def test_a_heat_map_shows_the_mean_and_the_spread_in_each_cell():
    figure = drawn(view(ROBUST, robust()), "heat-nodes-1")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["80.0%", "± 1.4%", "diverged", "70.0%", "± 1.4%", "75.0%", "± 1.4%"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["alie", "nan"]


def test_a_curve_is_the_mean_over_the_seeds_of_the_worst_attack():
    figure = drawn(view(ROBUST, robust()), "curve-worst-case")
    lines = {line.get_label(): line for line in figure.axes[0].containers}
    krum = np.asarray(lines["line 1"].lines[0].get_ydata(), dtype=float)
    assert krum[:2] == pytest.approx([0.8, 0.7])
    assert np.isnan(krum[2])


def test_all_heat_maps_of_a_kind_share_their_colours_and_a_loss_over_decades_is_logarithmic():
    grids = [
        p.draw.args[0] for _, each in sections(view(ROBUST, robust())) for p in each if p.stem.startswith("heat-nodes")
    ]
    norm = scale("test_accuracy", grids)
    assert (norm.vmin, norm.vmax) == pytest.approx((0.7, 0.9))
    assert type(scale("test_loss", grids)).__name__ == "Normalize"
    assert type(scale("test_loss", [_spanning(0.01, 9.0)])).__name__ == "LogNorm"


def _spanning(*means: float):
    tiles = {(0, col): Tile("done", mean, count=1) for col, mean in enumerate(means)}
    return Grid("h", "test_loss", "r", "c", ("x",), tuple(map(str, means)), tiles)


def test_numbers_stand_out_from_every_colour():
    def luminance(colour) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    for share in np.linspace(0, 1, 64):
        colour = colormaps["viridis"](share)[:3]
        ink = 1.0 if _readable(colour) == "#ffffff" else 0.0
        light, dark = max(ink, luminance(colour)), min(ink, luminance(colour))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, "the contrast that WCAG 2 asks for"


def test_names_in_any_form_are_drawn_as_they_are():
    grid = _spanning(1.0, 2.0)
    odd = type(grid)("$x$", "test_loss", "_r", "c", ("_hidden $\\frac$",), ("a" * 60, "_b"), grid.tiles)
    assert heat(odd, scale("test_loss", [odd]), LIGHT).axes
    figure = curves([Line("_x", 0, [(1.0, Tile("done", 0.5))])], "h", "x", "", "test_loss", DARK)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["_x"]
