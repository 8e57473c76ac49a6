"""Conditions keep the cells that they say."""

from __future__ import annotations

import itertools

import pytest

from holdfast.errors import InputError
from holdfast.sweep.axes import read_axes
from holdfast.sweep.where import read_conditions

AXES = read_axes({"rule": {"mean": {"aggregator": "mean"}, "krum": {"aggregator": "krum"}}, "attack.nodes": [0, 2, 4]})


def kept(*conditions: object) -> set[tuple[str, int]]:
    test = read_conditions(list(conditions), AXES)
    cells = itertools.product(("mean", "krum"), (0, 2, 4))
    return {(r, n) for r, n in cells if test({"rule": r, "nodes": str(n)}, {"nodes": n, "rounds": 3, "seed": 2})}


ALL = set(itertools.product(("mean", "krum"), (0, 2, 4)))


@pytest.mark.parametrize(
    ("condition", "out"),
    [
        ({"attack.nodes": [0, 2, 4]}, set()),
        ({"not": {"rule": "mean", "nodes": [2, 4]}}, {("mean", 2), ("mean", 4)}),
        ({"if": {"rule": "mean"}, "then": {"nodes": 0}}, {("mean", 2), ("mean", 4)}),
        ({"nodes": "<= 2"}, {("mean", 4), ("krum", 4)}),
        ({"nodes": ["< 2", 4]}, {("mean", 2), ("krum", 2)}),
        ({"nodes": "< rounds"}, {("mean", 4), ("krum", 4)}),
        ({"seed": "< nodes"}, ALL - {("mean", 4), ("krum", 4)}),
        ({"not": {"not": {"rule": "krum"}}}, {("mean", 0), ("mean", 2), ("mean", 4)}),
        ({"rounds": 3, "seed": [1, 2]}, set()),
        ({"rounds": 4}, ALL),
    ],
)
def test_a_condition_leaves_out_what_it_says(condition, out):
    assert kept(condition) == ALL - out


def test_all_conditions_hold_together():
    assert kept({"nodes": "> 0"}, {"rule": "krum"}, {"nodes": "< 4"}) == {("krum", 2)}
    assert kept() == ALL


def test_a_list_that_is_a_value_is_not_a_list_of_values():
    axes = read_axes({"problem.model.hidden": [[8], [8, 4]]})
    test = read_conditions([{"hidden": [8, 4]}], axes)
    assert [test({"hidden": name}, {}) for name in axes[0].labels] == [False, True]


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({"rule": "mean"}, "where must be a list of conditions"),
        (["mean"], "where.0 must map axes to their values"),
        ([{}], "where.0 must map axes to their values"),
        ([{"rulle": "mean"}], "Did you mean 'rule'?"),
        ([{"rule": "kurm"}], "where.0.rule must be a value of rule, but 'kurm' was given. Did you mean 'krum'?"),
        ([{"nodes": 3}], "be a value of nodes, but 3"),
        ([{"not": {"rule": "mean"}, "nodes": 0}], "hold not alone"),
        ([{"if": {"rule": "mean"}}], "if and then"),
        ([{"nodes": "< many"}], "compare numbers, but 'many'"),
        ([{"rule": "< 3"}], "compare numbers, but 'rule'"),
        ([{"rounds": "few"}], "where.0.rounds must be a number"),
    ],
)
def test_a_condition_that_means_nothing_is_refused(conditions, words):
    with pytest.raises(InputError) as refused:
        read_conditions(conditions, AXES)
    assert words in str(refused.value)
