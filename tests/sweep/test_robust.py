"""Worst cases and breakdown points, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from holdfast.sweep.axes import read_axes
from holdfast.sweep.results import Record
from holdfast.sweep.robust import Tile, breakdown, over_seeds, roles, tile, worst_over
from holdfast.sweep.views import View

from .tiny import record

GRID = {
    "aggregator": ["mean", "krum"],
    "attack": [None, "alie", "nan"],
    "aggregator.f, attack.nodes": [0, 1, 2],
    "seed": [1, 2],
}


def test_the_axes_are_recognised_by_what_they_set():
    found = roles(read_axes({**GRID, "partition.alpha": [1]}))
    assert [found.rule.name, found.attack.name, found.f.name, found.seed.name] == ["aggregator", "attack", "f", "seed"]
    assert [axis.name for axis in found.others] == ["alpha"]
    assert roles(read_axes({"algorithm.batch_size": [1]})).rule is None


def worst(values: dict[tuple[str, str], float | None], metric: str = "test_accuracy", **statuses: str):
    found = [
        Record({"attack": a, "seed": s}, statuses.get(a, "done"), values={} if v is None else {metric: v})
        for (a, s), v in values.items()
    ]
    return {r.labels["seed"]: r.labels["attack"] for r in worst_over(found, "attack", metric)}


def test_each_seed_has_its_own_worst_attack():
    values = {("a", "1"): 0.5, ("b", "1"): 0.6, ("a", "2"): 0.9, ("b", "2"): 0.1}
    assert worst(values) == {"1": "a", "2": "b"}
    assert worst(values, "test_loss") == {"1": "b", "2": "a"}


def test_diverging_is_worse_than_any_value_and_an_unknown_cell_leaves_the_worst_unknown():
    assert worst({("a", "1"): 0.0, ("b", "1"): math.nan}) == {"1": "b"}
    assert worst({("a", "1"): math.inf, ("b", "1"): 9.9}, "test_loss") == {"1": "a"}
    assert worst({("a", "1"): 0.0, ("b", "1"): None}, b="failed") == {"1": "b"}
    assert worst({("a", "1"): 0.0, ("b", "1"): None}, b="impossible") == {"1": "a"}


def test_a_tile_is_the_mean_and_the_sample_deviation_over_the_seeds():
    found = tile([record(x, seed=str(x)) for x in (0.2, 0.4, 0.9)], "test_accuracy")
    assert (found.status, found.count) == ("done", 3)
    assert (found.mean, found.std) == pytest.approx((0.5, np.std([0.2, 0.4, 0.9], ddof=1)))
    assert tile([record(0.2, seed="1"), record(math.nan, "diverged", seed="2")], "test_accuracy").status == "diverged"
    assert tile([record(None, "impossible"), record(None, "failed")], "test_accuracy").status == "failed"
    assert tile([record(None, "impossible")], "test_accuracy").status == "impossible"


def test_over_seeds_takes_together_what_differs_in_nothing_else():
    records = [record(x, f=f, seed=s) for f, s, x in (("0", "1", 1.0), ("0", "2", 0.0), ("1", "1", 0.3))]
    found = over_seeds(records, ["f"], "test_accuracy")
    assert {key: (t.mean, t.count) for key, t in found.items()} == {("0",): (0.5, 2), ("1",): (0.3, 1)}


LEFT = [("0", Tile("done", 0.9)), ("1", Tile("done", 0.46)), ("2", Tile("done", 0.44)), ("3", Tile("done", 0.8))]


def test_a_rule_holds_contiguously_from_the_least_f():
    found = breakdown("krum", LEFT, 0.9, 0.5, "test_accuracy")
    assert (found.holds, found.at, found.why, found.value.mean) == ("1", "2", "quality", 0.46)
    assert breakdown("krum", LEFT, 0.9, 0.4, "test_accuracy").at is None
    assert breakdown("krum", LEFT, 0.9, 1.0, "test_accuracy").holds == "0"
    assert breakdown("krum", LEFT[2:], 0.9, 0.5, "test_accuracy").holds is None


@pytest.mark.parametrize("status", ["impossible", "diverged", "failed", "waiting"])
def test_what_ends_it_is_told(status):
    found = breakdown("krum", [LEFT[0], ("1", Tile(status)), *LEFT[2:]], 0.9, 0.1, "test_accuracy")
    assert (found.holds, found.at, found.why) == ("0", "1", status)


def test_of_a_loss_at_most_the_inverse_part_is_added():
    losses = [("0", Tile("done", 0.5)), ("1", Tile("done", 1.0)), ("2", Tile("done", 1.1))]
    assert breakdown("krum", losses, 0.5, 0.5, "test_loss").holds == "1"


def view(records, **grid) -> View:
    return View(read_axes({**GRID, **grid}), records, "test_accuracy", 0.5)


def test_the_baseline_is_the_rule_without_attackers_at_the_least_f():
    labels = {"aggregator": "krum", "seed": "1"}
    records = [
        record(0.8, attackers=0, **labels, attack="none", f="1"),
        record(0.5, **labels, attack="alie", f="1"),
        record(0.39, **labels, attack="alie", f="2"),
        record(0.6, **{**labels, "aggregator": "mean"}, attack="alie", f="1"),
        record(0.31, **{**labels, "aggregator": "mean"}, attack="alie", f="2"),
    ]
    ((_, (mean, krum)),) = view(records).breakdowns()
    assert (krum.baseline, krum.holds, krum.at) == (0.8, "1", "2")
    assert (mean.baseline, mean.holds, mean.at) == (0.6, "2", None)


def test_each_panel_has_its_breakdown_points():
    records = [
        record(x, attackers=int(f), aggregator="mean", attack="alie", f=f, seed="1", alpha=a)
        for a, f, x in (("1", "0", 0.8), ("1", "1", 0.7), ("0.1", "0", 0.6), ("0.1", "1", 0.2))
    ]
    found = {panel: rules[0].holds for panel, rules in view(records, **{"partition.alpha": [0.1, 1]}).breakdowns()}
    assert found == {"alpha = 0.1": "0", "alpha = 1": "1"}
