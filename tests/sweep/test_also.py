"""What cells set where it depends on several axes."""

from __future__ import annotations

import pytest

from holdfast.errors import InputError
from holdfast.sweep.grid import load_sweep

from .tiny import TINY

GRID = {"seed": [1, 2], "rule": {"mean": {"aggregator": "mean"}, "trimmed": {"aggregator": "trimmed_mean"}}}


def cells(*also: object, grid: object = GRID, **fields: object):
    content = {**TINY, **fields, "grid": grid, "also": list(also)}
    return {tuple(cell.labels.values()): cell.experiment for cell in load_sweep(content).cells}


def test_a_cell_sets_what_its_values_together_ask_for():
    found = cells({"if": {"seed": 2, "rule": "mean"}, "then": {"rounds": 7, "algorithm.local_steps": 3}})
    rounds = {labels: (cell.rounds, cell.algorithm.local_steps) for labels, cell in found.items()}
    assert rounds == {("1", "mean"): (2, 1), ("2", "mean"): (7, 3), ("1", "trimmed"): (2, 1), ("2", "trimmed"): (2, 1)}


def test_it_comes_after_the_axes_and_the_later_one_wins():
    first = {"if": {"rounds": "> 3"}, "then": {"rounds": 50}}
    second = {"if": {"rounds": 5}, "then": {"rounds": 60}}
    assert [c.rounds for c in cells(first, second, grid={"rounds": [3, 4, 5]}).values()] == [3, 50, 60]


def test_the_whole_is_set_before_its_parts():
    rule = {"if": {"seed": 2}, "then": {"aggregator.f": 1, "aggregator": "krum"}}
    found = cells(rule, grid={"seed": [1, 2]}, nodes=6)
    assert found["2",].aggregator.as_mapping() == {"name": "krum", "f": 1}
    assert found["1",].aggregator.as_mapping() == {"name": "mean"}


def test_where_judges_the_values_of_the_axes_and_not_what_is_added():
    content = {**TINY, "grid": {"seed": [1, 2]}, "where": [{"rounds": 2}]}
    found = load_sweep({**content, "also": [{"if": {"seed": 2}, "then": {"rounds": 9}}]}).cells
    assert [cell.experiment.rounds for cell in found] == [2, 9]


def test_it_stands_in_the_saved_sweep():
    also = [{"if": {"seed": 2}, "then": {"rounds": 9}}]
    assert load_sweep({**TINY, "grid": {"seed": [1, 2]}, "also": also}).content["also"] == also


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"if": {"seed": 1}}, "also.0 must hold a condition under if"),
        ({"if": {"seed": 1}, "then": 3}, "also.0 must hold a condition under if"),
        ({"if": {"seed": 1}, "then": {"rounds": 1}, "not": {}}, "also.0 must hold a condition under if"),
        ({"if": {"sed": 1}, "then": {"rounds": 1}}, "also.0.if.sed must be an axis of the grid"),
        ({"if": {"seed": 3}, "then": {"rounds": 1}}, "also.0.if.seed must be a value of seed"),
        ({"if": {"seed": 1}, "then": {"rouns": 1}}, "also.0.then must set a field that a component of the sweep has"),
        ({"if": {"seed": 1}, "then": {"rounds": 0}}, "In the cell seed=1, rule=mean: rounds must be"),
    ],
)
def test_what_means_nothing_is_refused(rule, words):
    with pytest.raises(InputError) as refused:
        cells(rule)
    assert words in str(refused.value)


def test_no_list_is_refused():
    with pytest.raises(InputError, match="also must be a list of additions"):
        load_sweep({**TINY, "grid": GRID, "also": {"if": {}, "then": {}}})
