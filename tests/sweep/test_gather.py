"""Tables over single runs: their axes are what differs between them."""

from __future__ import annotations

import json

import pytest

from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.sweep.gather import gather, run_directories
from holdfast.sweep.results import Record, write_results
from holdfast.sweep.table import tabulate

from .tiny import TINY


def write_run(directory, accuracies: dict[str, float], **fields):
    directory.mkdir()
    (directory / "experiment.yaml").write_text(Experiment(**{**TINY, **fields}).as_yaml())
    told = {"status": "done", "rounds": 2, "seconds": 1.0, "bytes_up": 1, "bytes_down": 1, "byzantine": [], "best": {}}
    variants = {name: {**told, "final": {"test_accuracy": value}} for name, value in accuracies.items()}
    (directory / "summary.json").write_text(json.dumps({"variants": variants}))
    return directory


def test_the_axes_of_runs_are_the_fields_that_differ(tmp_path):
    variants = {"plain": {}, "robust": {"aggregator": {"name": "trimmed_mean", "f": 1}}}
    one = write_run(tmp_path / "a", {"plain": 0.5, "robust": 0.8}, seed=1, variants=variants)
    two = write_run(tmp_path / "b", {"plain": 0.7, "robust": 0.9}, seed=2, variants=variants)
    records = gather([one, two])
    assert [record.labels for record in records] == [
        {"variant": name, "seed": seed, "aggregator": rule, "aggregator.f": f}
        for seed in "12"
        for name, rule, f in (("plain", "mean", ""), ("robust", "trimmed_mean", "1"))
    ]
    table = tabulate(records, "aggregator", "variant", ["mean"])
    assert (table.entry(0, 0), table.entry(1, 1), table.entry(0, 1)) == ("60.0%", "85.0%", "")


def test_a_directory_of_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"RUNS must hold a sweep, with results.csv in it"):
        gather([tmp_path])


def test_the_directories_of_a_sweep_are_those_of_its_cells_that_were_run(tmp_path):
    run = write_run(tmp_path / "run", {"main": 0.5})
    (tmp_path / "sweep" / "cells").mkdir(parents=True)
    cell = write_run(tmp_path / "sweep" / "cells" / "a", {"main": 0.5})
    records = [Record({"seed": str(seed)}, "done", "", directory) for seed, directory in enumerate(("cells/a",) * 2)]
    records += [Record({"seed": "3"}, "impossible"), Record({"seed": "4"}, "waiting", "", "cells/b")]
    write_results(tmp_path / "sweep" / "results.csv", ["seed"], records)
    assert run_directories([run, tmp_path / "sweep", run]) == [run, cell]


def test_a_directory_of_something_else_has_no_runs(tmp_path):
    with pytest.raises(InputError, match=r"RUNS must hold a sweep, with results.csv in it"):
        run_directories([tmp_path])
