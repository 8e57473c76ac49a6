"""Tables of what came out."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.sweep.results import Record
from holdfast.sweep.table import tabulate

from .tiny import record

FOUND = [
    record(0.5, rule="mean", attack="a", seed="1"),
    record(0.7, rule="mean", attack="a", seed="2"),
    record(0.2, rule="mean", attack="b", seed="1"),
    record(0.4, rule="mean", attack="b", seed="2"),
    record(0.9, rule="kr_um", attack="a", seed="1"),
    record(0.8, rule="kr_um", attack="a", seed="2"),
    record(None, "impossible", rule="kr_um", attack="b", seed="1"),
    record(None, "impossible", rule="kr_um", attack="b", seed="2"),
]


def test_every_statistic_is_over_all_other_axes():
    values = ["mean", "std", "min", "max", "worst", "count"]
    lines = list(csv.reader(io.StringIO(tabulate(FOUND, "rule", "attack", values).csv())))
    assert lines[0] == ["rule", *(f"{attack} {value}" for attack in "ab" for value in values)]
    mean_a = [float(text) for text in lines[1][1:7]]
    assert mean_a == pytest.approx([0.6, np.std([0.5, 0.7], ddof=1), 0.5, 0.7, 0.5, 2])
    assert lines[2][7:] == ["impossible"] * 6


def test_of_a_loss_the_worst_is_the_greatest():
    losses = [Record({"seed": s}, "done", values={"test_loss": x}) for s, x in (("1", 2.0), ("2", 3.0))]
    table = tabulate([*losses[:1], Record({"seed": "1"}, "done", values={"test_loss": 5.0})], "seed", None, ["worst"])
    assert table.numbers[0, 0] == {"worst": 5.0}
    assert table.metric == "test_loss"


def test_what_was_sent_is_a_metric_and_the_most_of_it_is_the_worst():
    found = [Record({"seed": s}, "done", values={"test_loss": 1.0, "bytes_up": x}) for s, x in (("1", 5e3), ("2", 9e3))]
    table = tabulate([*found, found[0]], "seed", None, ["worst", "count"], "bytes_up")
    assert [table.entry(row, 0) for row in (0, 1)] == ["5 kB / 2", "9 kB / 1"]
    both = [Record({"rule": "x"}, "done", values=record.values) for record in found]
    assert tabulate(both, "rule", None, ["worst"], "bytes_up").numbers[0, 0] == {"worst": 9e3}


def test_markdown_and_latex():
    table = tabulate(FOUND, "rule", "attack")
    assert table.markdown() == (
        "| rule | a | b |\n| --- | ---: | ---: |\n"
        "| mean | 60.0% ± 14.1% | 30.0% ± 14.1% |\n| kr_um | 85.0% ± 7.1% | impossible |\n"
    )
    latex = table.latex()
    assert latex.startswith("\\begin{tabular}{lrr}\n\\hline\nrule & a & b \\\\\n\\hline\n")
    assert "kr\\_um & 85.0\\% $\\pm$ 7.1\\% & impossible \\\\\n" in latex
    assert latex.endswith("\\end{tabular}\n")


def test_one_that_is_not_finite_makes_its_entry_so():
    found = [record(0.5, rule="mean", seed="1"), record(math.nan, "diverged", rule="mean", seed="2")]
    table = tabulate(found, "rule", None, ["mean", "worst", "count"])
    assert table.entry(0, 0) == "not finite / not finite / 2"


def test_an_axis_is_also_found_by_its_path_and_the_counts_are_metrics_too():
    assert tabulate(FOUND, "aggregator.rule", metric="seconds", values=["max"]).entry(0, 0) == "1.0 s"


def test_labels_with_the_signs_of_a_format_are_written_as_they_are():
    table = tabulate([record(0.5, rule="a|b & $x$ \\ {c}")], "rule", values=["count"])
    assert "a\\|b" in table.markdown()
    assert "a|b \\& \\$x\\$ \\textbackslash{} \\{c\\}" in table.latex()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rulle",), ["--rows", "Did you mean 'rule'?"]),
        (("rule", "atack"), ["--cols", "Did you mean 'attack'?"]),
        (("rule", None, ["men"]), ["--values", "Did you mean 'mean'?"]),
        (("rule", None, ["mean"], "test_acuracy"), ["--metric", "Did you mean 'test_accuracy'?"]),
    ],
)
def test_what_there_is_not_is_refused(arguments, words):
    with pytest.raises(InputError) as refused:
        tabulate(FOUND, *arguments)
    assert all(word in str(refused.value) for word in words)


def test_without_any_value_there_is_no_table():
    with pytest.raises(InputError, match="--metric must be a number that was recorded"):
        tabulate([record(None, "failed", seed="1")], "seed")
