"""What the axes of a grid set, and what their values are called."""

from __future__ import annotations

import pytest

from holdfast.aggregators import TrimmedMean
from holdfast.errors import InputError
from holdfast.sweep.axes import find, label, plainly, read_axes


def labels(values) -> list[str]:
    (axis,) = read_axes({"aggregator": values})
    return axis.labels


def test_hyperparameters_stand_in_a_label_only_where_they_tell_values_apart():
    values = ["mean", {"name": "krum", "f": 1}, {"name": "trimmed_mean", "f": 1}, {"name": "trimmed_mean", "f": 2}]
    assert labels(values) == ["mean", "krum", "trimmed_mean f=1", "trimmed_mean f=2"]


def test_a_chain_is_called_by_its_rules_and_told_apart_by_the_rule_that_differs():
    chains = [[{"name": "nnm", "f": f}, {"name": "krum", "f": 1}] for f in (1, 2)]
    assert labels(chains) == ["nnm+krum 0.f=1", "nnm+krum 0.f=2"]
    assert labels(["krum", {"name": "krum", "f": 2}]) == ["krum", "krum f=2"]


def test_numbers_lists_and_nothing_are_called_by_what_they_are():
    values = (None, True, 3, 0.1, 1e-5, [8, 4], "int8", [])
    assert [label(value) for value in values] == ["none", "true", "3", "0.1", "1e-05", "[8, 4]", "int8", "[]"]


def test_components_of_python_are_what_a_file_would_hold():
    assert plainly({"aggregator": [TrimmedMean(f=2)]}) == {"aggregator": [{"name": "trimmed_mean", "f": 2}]}


def test_an_axis_is_called_by_its_last_step_unless_two_are_called_alike():
    assert [a.name for a in read_axes({"partition.alpha": [1], "aggregator.f, attack.nodes": [1]})] == ["alpha", "f"]
    assert [a.name for a in read_axes({"aggregator.f": [1], "attack.f": [1]})] == ["aggregator.f", "attack.f"]


def test_an_axis_is_found_by_its_name_its_key_and_each_of_its_paths():
    axes = read_axes({"seed": [1], "aggregator.f, attack.nodes": [1, 2]})
    for name in ("f", "aggregator.f", "attack.nodes", "aggregator.f, attack.nodes"):
        assert find(axes, name) is axes[1]
    assert find(axes, "alpha") is None


def test_a_labelled_point_is_a_number_where_its_fields_agree_or_its_label_is_one():
    grid = {"size": {"small": {"nodes": 4}, "7": {"nodes": 5, "rounds": 2}, "odd": {"nodes": 5, "rounds": 2}}}
    assert [point.number for point in read_axes(grid)[0].points] == [4, 7, None]


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ([1], "grid must map at least one axis"),
        ({}, "grid must map at least one axis"),
        ({"seed": 3}, "grid.seed must be a list of values"),
        ({"seed": []}, "grid.seed must be a list of values"),
        ({"rule": {"krum": "krum"}}, "grid.rule.krum must map fields to their values"),
        ({"seed": [1, 1]}, "grid.seed must hold different values, but '1 twice'"),
        ({"seed": [1], "both": {"x": {"seed": 2}}}, "grid.both must set fields of its own, but 'seed'"),
        ({"status": {"x": {"seed": 2}}}, "grid.status must not be called like a column"),
    ],
)
def test_a_wrong_grid_is_refused(grid, words):
    with pytest.raises(InputError) as refused:
        read_axes(grid)
    assert words in str(refused.value)
