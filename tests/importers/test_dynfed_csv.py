"""Rows in dyn-fed's columns: from an imported file over a run and a sweep to the numbers, and a run told by hand."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import Any

import pytest

from holdfast import Experiment
from holdfast.cli import DONE, WRONG_INPUT, main
from holdfast.importers.dynfed_csv import COLUMNS, rows, table
from holdfast.record.run_data import HEADER
from holdfast.sweep.results import Record, write_results

REFERENCE = (
    "jobid, dataset, model_type, optimizer, n_clients, agg_mode, interval, comm_mode, noniid, unbalanced, "
    "learning_rate, epochs, delta_threshold, error, time, train_acc, test_acc, train_loss, test_loss, pkt_size, "
    "comm_rounds, svd_time"
)
CONFIG = """
model: {type: logistic, n_iterations: 4}
data: {batch_size: 64, noniid: 1}
optimizer: {learning_rate: 0.1, name: sgd}
comms: {mode: 0, interval: 2}
distribute: {n_workers: 4, aggregate_mode: 0}
"""
DIGITS = "problem={name: digits, model: logistic}"
PARAMETERS = 64 * 10 + 10
BASE: dict[str, Any] = {"problem": "mnist", "nodes": 5, "rounds": 10, "algorithm": {"name": "fedavg"}}


@pytest.fixture(autouse=True)
def without_plots(monkeypatch):
    monkeypatch.setattr(sys.modules["holdfast.run"], "write_report", lambda directory: directory)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_an_imported_file_runs_and_its_row_says_what_the_file_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yml").write_text(CONFIG)
    assert main(["import-dynfed", "config.yml", "-o", "a.yaml"]) == DONE
    assert main(["run", "a.yaml", "--set", DIGITS, "--out", "a"]) == DONE
    capsys.readouterr()
    assert main(["export", "--dynfed", "a"]) == DONE
    [row] = read(capsys.readouterr().out)
    assert list(row) == REFERENCE.split(", ") == list(COLUMNS)
    told = {"jobid": "a", "dataset": "digits", "model_type": "logistic", "optimizer": "sgd", "n_clients": "3"}
    told |= {"agg_mode": "0", "interval": "2", "comm_mode": "0", "noniid": "1", "unbalanced": "0", "svd_time": ""}
    told |= {"learning_rate": "0.1", "epochs": "4", "delta_threshold": "0.0", "error": "0", "comm_rounds": "6"}
    assert row.items() >= told.items()
    final = json.loads((tmp_path / "a" / "summary.json").read_text())["variants"]["main"]["final"]
    assert float(row["test_acc"]) == pytest.approx(100 * final["test_accuracy"])
    assert (float(row["train_loss"]), float(row["test_loss"])) == (final["train_loss"], final["test_loss"])
    assert float(row["pkt_size"]) == 6 * 4 * PARAMETERS / 2**20
    assert float(row["time"]) > 0


def described(directory, summary: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """The row of an experiment of which nothing has been measured."""
    directory.mkdir()
    (directory / "experiment.yaml").write_text(Experiment(**{**BASE, **fields}).as_yaml())
    (directory / "metrics.csv").write_text(HEADER + "\n")
    if summary is not None:
        (directory / "summary.json").write_text(json.dumps({"variants": summary}))
    [row] = rows(directory)
    return row


SVM = {"name": "occupancy", "loss": "hinge"}
CNN = {"name": "cnn", "channels": [32], "kernel": 3, "hidden": [128], "dropout": 0.5}


@pytest.mark.parametrize(
    ("fields", "columns"),
    [
        ({"problem": {"name": "fashion_mnist"}}, {"dataset": "fashion-mnist", "model_type": "cnn"}),
        ({"problem": {"name": "fashion_mnist", "model": CNN}}, {"model_type": "cnn1"}),
        ({"problem": {"name": "mnist", "model": {"name": "mlp", "hidden": [128]}}}, {"model_type": "nn1"}),
        ({"problem": {"name": "mnist", "model": {"name": "mlp", "hidden": [128, 128]}}}, {"model_type": "nn2"}),
        ({"problem": {"name": "mnist", "model": {"name": "mlp", "hidden": [100]}}}, {"model_type": "mlp"}),
        ({"problem": SVM}, {"dataset": "occupancy", "model_type": "svm"}),
        ({"problem": {"name": "occupancy"}}, {"model_type": "logistic"}),
        ({"problem": {"name": "year_prediction_msd"}}, {"model_type": "linear"}),
        ({"problem": {"name": "tests.tiny:Blobs"}}, {"dataset": "tests.tiny:Blobs"}),
        ({"algorithm": {"name": "fedavg", "local_epochs": 3}}, {"interval": 3, "epochs": 30, "comm_mode": 0}),
        ({"algorithm": {"name": "fedavg", "local_steps": 3}}, {"interval": None, "epochs": None, "comm_mode": 0}),
        ({"algorithm": {"name": "fedsgd"}}, {"interval": 1, "epochs": 10, "learning_rate": 0.1}),
        ({"algorithm": {"name": "robust_sgd"}}, {"interval": None, "epochs": None}),
        ({"trigger": {"name": "periodic", "every": 5}}, {"interval": 5, "epochs": 10, "comm_mode": 0}),
        ({"trigger": {"name": "delta_switch", "every": 5}}, {"interval": 5, "comm_mode": 0}),
        ({"trigger": {"name": "svd", "interval": 2}}, {"interval": 2, "comm_mode": 1, "delta_threshold": 0.0}),
        ({"trigger": "loss"}, {"interval": 1, "comm_mode": 2}),
        ({"trigger": "shapley"}, {"interval": 1, "comm_mode": 4}),
        ({"algorithm": {"name": "dynamic_averaging", "delta": 0.8}}, {"comm_mode": 3, "delta_threshold": 0.8}),
        ({"algorithm": "dsgd"}, {"comm_mode": None, "agg_mode": None, "delta_threshold": None}),
        *(
            ({"algorithm": {"name": "fedavg", "weighting": name}}, {"agg_mode": number})
            for name, number in {"uniform": 0, "samples": 1, "loss": 2, "inverse_loss": None}.items()
        ),
        ({"aggregator": "median"}, {"agg_mode": None}),
        ({"partition": "iid"}, {"noniid": 0, "unbalanced": 0}),
        ({"partition": {"name": "sorted_pairs", "unbalanced": 0.5}}, {"noniid": 1, "unbalanced": 1}),
        ({"partition": "quantity"}, {"noniid": 0, "unbalanced": 1}),
        ({"partition": "overlap"}, {"noniid": 0, "unbalanced": 0}),
        ({"partition": "label_shards"}, {"noniid": 1, "unbalanced": 0}),
        ({"partition": "own_data"}, {"noniid": None, "unbalanced": None}),
        ({"nodes": 7}, {"n_clients": 7}),
    ],
)
def test_what_the_experiment_says_in_dynfeds_words(fields, columns, tmp_path):
    assert described(tmp_path / "a", **fields).items() >= columns.items()


def test_what_is_not_known_is_blank_and_a_run_that_did_not_end_is_an_error(tmp_path):
    row = described(tmp_path / "a")
    assert (row["error"], row["time"], row["test_acc"], row["train_acc"], row["comm_rounds"]) == (
        1,
        None,
        None,
        None,
        0,
    )
    told = {"main": {"status": "diverged", "seconds": 1.5, "final": {"test_accuracy": 0.5, "test_loss": None}}}
    row = described(tmp_path / "b", told)
    assert (row["error"], row["time"], row["test_acc"], row["test_loss"]) == (1, 1.5, 50.0, None)
    assert read(table([tmp_path / "b"]))[0]["test_loss"] == ""


def test_the_training_accuracy_is_over_all_samples_of_the_nodes(tmp_path):
    described(tmp_path / "a")
    lines = ["main,10,0,local_accuracy,0.5", "main,10,1,local_accuracy,1.0", "main,10,,bytes_up,1048576"]
    lines += ["main,1,,speakers,3", "main,2,,speakers,1"]
    with (tmp_path / "a" / "metrics.csv").open("a") as file:
        file.write("\n".join(lines) + "\n")
    summary = {"variants": {"main": {"status": "done"}}, "class_counts": [[10, 20], [5, 5]]}
    (tmp_path / "a" / "summary.json").write_text(json.dumps(summary))
    [row] = rows(tmp_path / "a")
    assert row["train_acc"] == pytest.approx(100 * (30 * 0.5 + 10 * 1.0) / 40)
    assert (row["pkt_size"], row["comm_rounds"], row["error"]) == (1.0, 4, 0)


def test_a_row_for_each_variant_and_each_cell(tmp_path, capsys):
    one, sweep = tmp_path / "one", tmp_path / "sweep"
    one.mkdir()
    (one / "experiment.yaml").write_text(Experiment(**BASE, variants={"a": {}, "b": {"nodes": 2}}).as_yaml())
    (one / "metrics.csv").write_text(HEADER + "\n")
    (one / "summary.json").write_text(json.dumps({"variants": {"a": {"status": "done"}}}))
    (sweep / "cells").mkdir(parents=True)
    described(sweep / "cells" / "many", {"main": {"status": "done"}}, nodes=9)
    records = [Record({"nodes": "9"}, "done", "", "cells/many"), Record({"nodes": "1"}, "impossible")]
    write_results(sweep / "results.csv", ["nodes"], records)
    assert main(["export", "--dynfed", str(one), str(sweep), "-o", str(tmp_path / "all.csv")]) == DONE
    found = read((tmp_path / "all.csv").read_text())
    told = [(row["jobid"], row["n_clients"], row["error"]) for row in found]
    assert told == [("one/a", "5", "0"), ("one/b", "2", "1"), ("many", "9", "0")]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["here"], "--dynfed must be given"),
        (["--dynfed", "here"], "RUNS must hold a sweep, with results.csv in it, or a run"),
        (["--dynfed", "here", "--out", "there/a.csv"], "RUNS must hold"),
    ],
)
def test_mistakes_are_one_paragraph(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["export", *arguments]) == WRONG_INPUT
    told = capsys.readouterr().err.strip()
    assert len(told.splitlines()) == 1
    assert words in told


def test_a_folder_that_is_not_there(tmp_path, capsys):
    described(tmp_path / "a", {})
    out = str(tmp_path / "b" / "a.csv")
    assert main(["export", "--dynfed", str(tmp_path / "a"), "--out", out]) == WRONG_INPUT
    assert "--out must be writable" in capsys.readouterr().err


def test_help_has_an_example_and_the_units(capsys):
    assert main(["export", "--help"]) == DONE
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Example: holdfast export --dynfed" in told
    assert "pkt_size the MiB" in told
