"""Rows that survive the trip through the file."""

from __future__ import annotations

import json
import math

import pytest

from holdfast.errors import InputError
from holdfast.sweep.results import Record, read_results, read_summary, write_results

RECORDS = [
    Record({"rule": 'a, "b"\n', "f": "1"}, "done", "", "cells/x", {"test_accuracy": 0.1, "best_test_accuracy": 1 / 3}),
    Record({"rule": "krum", "f": "2"}, "impossible", "too few"),
    Record({"rule": "krum", "f": "1"}, "diverged", "", "cells/y", {"test_loss": math.nan, "attackers": 2.0}),
]


def test_rows_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "results.csv"
    write_results(path, ["rule", "f"], RECORDS)
    back = read_results(path)
    assert back[:2] == RECORDS[:2]
    assert back[2].values.keys() == RECORDS[2].values.keys()
    assert math.isnan(back[2].values["test_loss"])


def test_an_axis_may_be_called_like_a_number(tmp_path):
    path, axes = tmp_path / "results.csv", ["attackers", "rounds", "test_loss"]
    numbers = {"attackers": 2.0, "rounds": 3.0, "seconds": 1.5, "test_loss": 0.25}
    write_results(path, axes, [Record({"attackers": "few", "rounds": "3", "test_loss": "mse"}, "done", values=numbers)])
    [back] = read_results(path)
    assert back.labels == {"attackers": "few", "rounds": "3", "test_loss": "mse"}
    assert back.values == {"seconds": 1.5, "test_loss": 0.25}
    assert path.read_text().count("attackers") == 1


def test_a_summary_gives_totals_and_metrics_but_no_counter_of_the_last_round(tmp_path):
    final = {"test_accuracy": 0.5, "bytes_up": 10, "test_loss": None, "virtual_seconds": 7.5}
    told = {"status": "done", "rounds": 2, "seconds": None, "bytes_up": 20, "bytes_down": 4, "byzantine": [1, 3]}
    best = {"test_accuracy": {"value": 0.6, "round": 1}}
    (tmp_path / "summary.json").write_text(json.dumps({"variants": {"main": {**told, "final": final, "best": best}}}))
    status, values = read_summary(tmp_path)
    assert status == "done"
    assert math.isnan(values.pop("test_loss"))
    counts = {"attackers": 2, "rounds": 2, "bytes_up": 20, "bytes_down": 4, "virtual_seconds": 7.5}
    assert values == {**counts, "test_accuracy": 0.5, "best_test_accuracy": 0.6}
    assert read_summary(tmp_path / "nowhere") == ("waiting", {})


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "a,status,reason,directory\n1\n", "a,status,reason,directory,x\n1,done,,,y\n"]
)
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "results.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="be as Holdfast wrote it"):
        read_results(path)
