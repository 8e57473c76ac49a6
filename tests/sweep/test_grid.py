"""From a sweep file to its cells."""

from __future__ import annotations

import json

import pytest
import yaml

from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.sweep.grid import load_sweep

from .tiny import TINY


def cells(grid: object, where: object = (), **fields: object):
    return load_sweep({**TINY, **fields, "grid": grid, "where": list(where)}).cells  # type: ignore[arg-type]


def test_one_axis_sets_f_of_every_rule_and_of_the_attack_that_has_one():
    grid = {
        "aggregator.f, attack.nodes": [0, 2],
        "rule": {"plain": {"aggregator": "mean"}, "mixed": {"aggregator": ["nnm", "krum"]}},
    }
    found = cells(grid, nodes=10, attack="alie")
    rules = [cell.experiment.aggregator.as_mapping() for cell in found]
    attackers = [cell.experiment.attack and cell.experiment.attack.nodes for cell in found]
    assert [cell.labels for cell in found] == [{"f": f, "rule": r} for f in ("0", "2") for r in ("plain", "mixed")]
    assert rules[0] == rules[2] == {"name": "mean"}
    assert [rules[1], rules[3]] == [[{"name": "nnm", "f": f}, {"name": "krum", "f": f}] for f in (0, 2)]
    assert attackers == [None, None, 2, 2]


def test_the_whole_is_set_before_its_parts_whatever_the_order_of_the_axes():
    (cell,) = cells({"algorithm.optimizer.lr": [0.7], "algorithm": [{"name": "fedavg", "local_steps": 2}]})
    assert cell.experiment.algorithm.optimizer.lr == 0.7
    assert cell.experiment.algorithm.local_steps == 2


def test_a_cell_is_what_the_experiment_alone_would_be():
    (cell,) = cells({"seed": [3]}, where=[{"seed": 3}])
    assert cell.experiment == Experiment(**{**TINY, "seed": 3})


def test_without_attackers_every_attack_is_the_same_experiment():
    found = cells({"attack": ["alie", "gaussian"], "attack.nodes": [0, 1]})
    assert found[0].digest == found[2].digest
    assert found[1].digest != found[3].digest


def test_the_digest_is_of_the_experiment_and_not_of_what_it_is_called():
    one, two = (cells(grid, name=name)[0] for grid, name in (({"seed": [1]}, "a"), ({"s": {"x": {"seed": 1}}}, "b")))
    assert one.digest == two.digest
    assert one.digest != cells({"seed": [2]})[0].digest
    assert one.slug == f"seed1-{one.digest}"


def test_a_slug_is_a_file_name_whatever_the_labels():
    (cell,) = cells({"odd": {"../a b/" + 200 * "x": {"seed": 1}}})
    assert cell.slug.startswith("a-b-xxx")
    assert len(cell.slug) < 100


def test_a_rule_that_cannot_keep_its_promise_is_impossible_and_says_why():
    found = cells({"aggregator": ["krum", "mean"], "aggregator.f": [0, 1]})
    assert [bool(cell.impossible) for cell in found] == [False, True, False, False]
    assert found[1].impossible == "aggregator.f must leave krum at least 5 rows"
    assert found[1].experiment is None


def test_where_leaves_cells_out_before_they_are_checked():
    found = cells({"attack": ["sign_flip"], "attack.nodes": [1, 99]}, where=[{"attack.nodes": "< 99"}])
    assert [cell.labels["nodes"] for cell in found] == ["1"]
    assert len(cells({"nodes": [2, 4, 8]}, where=[{"nodes": "> rounds"}])) == 2


def test_a_file_with_overrides_is_the_same_sweep_after_a_trip_through_a_file(tmp_path):
    path = tmp_path / "sweep.yaml"
    path.write_text(json.dumps({**TINY, "grid": {"seed": [1, 2]}}))
    sweep = load_sweep(path, ["rounds=3", "grid.seed=[4, 5, 6]"])
    assert [cell.experiment.seed for cell in sweep.cells] == [4, 5, 6]
    assert {cell.experiment.rounds for cell in sweep.cells} == {3}
    again = load_sweep(yaml.safe_load(sweep.as_yaml()))
    assert [cell.slug for cell in again.cells] == [cell.slug for cell in sweep.cells]
    assert sweep.source == tmp_path


WRONG = {
    "no grid": ({}, ["grid must be given", "holdfast run"]),
    "variants too": ({"grid": {"seed": [1]}, "variants": {"a": {}}}, ["variants must not stand beside a grid"]),
    "an unknown field": ({"grid": {"sed": [1]}}, ["grid.sed", "'sed'", "Did you mean 'seed'?"]),
    "a field that no component has": (
        {"grid": {"aggregator": ["mean", "krum"], "aggregator.ff": [1]}},
        ["grid.aggregator.ff", "Did you mean 'aggregator.f'?"],
    ),
    "one unknown path of two": (
        {"attack": "alie", "grid": {"attack.nodes, aggregator.f": [1]}},
        ["grid.attack.nodes, aggregator.f", "'aggregator.f'"],
    ),
    "an unknown component": ({"grid": {"aggregator": ["mean", "krun"]}}, ["aggregator=krun: aggregator.name", "krum"]),
    "a value out of bounds": ({"grid": {"rounds": [1, 0]}}, ["In the cell rounds=0: rounds must", "equal to 1"]),
    "more attackers than nodes": (
        {"attack": "alie", "grid": {"attack.nodes": [1, 9]}},
        ["In the cell nodes=9: attack.nodes must lie in 0..4"],
    ),
    "nothing left": ({"grid": {"seed": [1, 2]}, "where": [{"seed": "> 2"}]}, ["where must leave at least one cell"]),
    "an override without a value": ({"grid": {"seed": [1]}}, ["--set must look like"]),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_sweep_is_refused_with_the_cell_or_the_axis_named(mistake, tmp_path):
    fields, words = WRONG[mistake]
    path = tmp_path / "sweep.yaml"
    path.write_text(json.dumps({**TINY, **fields}))
    with pytest.raises(InputError) as refused:
        load_sweep(path, ["rounds"] if "override" in mistake else [])
    for word in words:
        assert word in str(refused.value)
