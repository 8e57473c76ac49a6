"""A whole sweep: its directory, what a second call does again, and how it ends when cells or the user do."""

from __future__ import annotations

import csv
import fcntl
import json
import signal
from pathlib import Path

import pytest
import yaml

import holdfast
from holdfast.cli import DONE, FAILED, INTERRUPTED, main
from holdfast.errors import InputError
from holdfast.sweep import conduct, sweep
from holdfast.sweep.work import Crew

from .tiny import TINY

GRID = {"aggregator": ["mean", "krum"], "aggregator.f, attack.nodes": [0, 1]}
SWEEP = {**TINY, "attack": {"name": "sign_flip", "scale": 50}, "grid": GRID}

ATTACKS = """
import multiprocessing, os, pathlib, signal, sys, threading
from holdfast.attacks import Attack

if multiprocessing.parent_process():  # in a process of a cell: what is tested here is not its report
    sys.modules["holdfast.run"].write_report = lambda directory: directory

class Calm(Attack):
    pass

class Fatal(Attack):
    def corrupt(self, state, honest_HD, own_BD, context):
        if not pathlib.Path("mended").exists():
            os.write(2, b"about to go\\n")
            os.kill(os.getpid(), signal.SIGKILL)
        return state, own_BD

class Broken(Attack):
    def corrupt(self, state, honest_HD, own_BD, context):
        if not pathlib.Path("mended").exists():
            raise ArithmeticError("I cannot count")
        return state, own_BD

class Patient(Attack):
    def corrupt(self, state, honest_HD, own_BD, context):
        if context.round == 2:
            pathlib.Path("reached").touch()
            while not pathlib.Path("go").exists():
                threading.Event().wait(0.01)
        return state, own_BD
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    """A sweep that ran to its end, by the command line."""
    folder = tmp_path_factory.mktemp("sweeps")
    (folder / "sweep.yaml").write_text(json.dumps(SWEEP))
    assert main(["sweep", str(folder / "sweep.yaml"), "--out", str(folder / "out"), "--jobs", "2"]) == DONE
    return folder / "out"


@pytest.fixture
def no_processes(monkeypatch):
    def refuse(*given: object) -> None:
        raise AssertionError("a cell was run again")

    monkeypatch.setattr(Crew, "give", refuse)


def rows(directory: Path) -> list[dict[str, str]]:
    with (directory / "results.csv").open() as file:
        return list(csv.DictReader(file))


def test_every_cell_is_a_row_and_a_complete_run(swept):
    found = {(row["aggregator"], row["f"]): row for row in rows(swept)}
    statuses = {key: row["status"] for key, row in found.items()}
    assert statuses == {
        ("mean", "0"): "done",
        ("mean", "1"): "done",
        ("krum", "0"): "done",
        ("krum", "1"): "impossible",
    }
    assert found["krum", "1"]["reason"] == "aggregator.f must leave krum at least 5 rows"
    assert [found["mean", f]["attackers"] for f in "01"] == ["0", "1"]
    assert float(found["mean", "1"]["test_accuracy"]) < float(found["mean", "0"]["test_accuracy"])
    for key in (("mean", "0"), ("mean", "1"), ("krum", "0")):
        cell = swept / found[key]["directory"]
        assert {"experiment.yaml", "metrics.csv", "summary.json", "report.html"} <= {
            path.name for path in cell.iterdir()
        }
    assert len(list((swept / "cells").iterdir())) == 3
    assert "data:image/png" in (swept / "report.html").read_text()


def test_a_cell_gives_the_numbers_of_a_run_of_its_own(swept, tmp_path):
    experiment = holdfast.Experiment(**{**TINY, "attack": {"name": "sign_flip", "scale": 50, "nodes": 1}})
    alone = holdfast.run(experiment, tmp_path / "alone").final("test_accuracy")
    (row,) = (row for row in rows(swept) if (row["aggregator"], row["f"]) == ("mean", "1"))
    assert float(row["test_accuracy"]) == alone


def test_a_second_run_does_nothing_again(swept, no_processes):
    before = {path: path.stat().st_mtime_ns for path in (swept / "cells").rglob("*")}
    result = sweep(swept / "sweep.yaml", swept)
    assert {path: path.stat().st_mtime_ns for path in (swept / "cells").rglob("*")} == before
    assert [record.status for record in result.records] == ["done", "done", "done", "impossible"]
    assert result.table("aggregator", "f", ["count"]).words[1, 1] == "impossible"


def test_cells_are_known_by_what_they_run_and_not_by_what_they_are_called(swept, no_processes):
    grid = {"rule": {"plain": {"aggregator": "mean"}}, "attack.nodes": [1, 0]}
    result = sweep({**SWEEP, "grid": grid}, swept)
    assert [record.labels for record in result.records] == [{"rule": "plain", "nodes": n} for n in "10"]
    assert {record.status for record in result.records} == {"done"}


def test_table_of_a_sweep(swept, capsys, tmp_path):
    sweep(SWEEP, swept)
    assert main(["table", str(swept), "--rows", "aggregator", "--cols", "f", "--values", "count"]) == DONE
    assert capsys.readouterr().out == (
        "| aggregator | 0 | 1 |\n| --- | ---: | ---: |\n| mean | 1 | 1 |\n| krum | 1 | impossible |\n"
    )
    out = tmp_path / "table.csv"
    assert main(["table", str(swept), "--rows", "aggregator", "--format", "csv", "--out", str(out)]) == DONE
    assert out.read_text().startswith("aggregator,test accuracy mean,test accuracy std\nmean,")


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_attacks.py").write_text(ATTACKS)
    return tmp_path


def write(workplace: Path, **fields: object) -> None:
    (workplace / "sweep.yaml").write_text(json.dumps({**TINY, **fields}))


def test_a_cell_that_kills_its_process_fails_alone_and_runs_again_when_mended(workplace, capsys):
    attacks = ["own_attacks:Fatal", "own_attacks:Broken", "own_attacks:Calm"]
    write(workplace, grid={"attack": attacks}, rounds=1, evaluate_every=1)
    assert main(["sweep", "sweep.yaml", "--jobs", "1"]) == FAILED
    fatal, broken, done = rows(workplace / "sweeps" / "tiny")
    assert (fatal["status"], fatal["reason"]) == ("failed", "killed by SIGKILL: about to go")
    assert (broken["status"], broken["reason"]) == ("failed", "ArithmeticError: I cannot count")
    assert done["status"] == "done"
    assert "Failed: attack=own_attacks:Fatal: killed by SIGKILL: about to go" in capsys.readouterr().err
    log = workplace / "sweeps" / "tiny" / "logs" / f"{Path(broken['directory']).name}.log"
    assert 'stage "attack"' in log.read_text()
    (workplace / "mended").touch()
    assert main(["sweep", "sweep.yaml", "--jobs", "1"]) == DONE
    assert "3 cells, 2 to run, 1 finished before; 1 at a time" in capsys.readouterr().out
    assert {row["status"] for row in rows(workplace / "sweeps" / "tiny")} == {"done"}


def test_ctrl_c_stops_every_cell_with_a_checkpoint_and_the_same_command_goes_on(workplace, monkeypatch, capsys):
    write(workplace, grid={"attack": ["own_attacks:Patient"], "seed": [1, 2]}, rounds=4)
    ended, stop = Crew.ended, Crew.stop

    def press(crew, timeout):
        if Path("reached").exists() and not Path("go").exists():
            signal.raise_signal(signal.SIGINT)
        return ended(crew, timeout)

    with monkeypatch.context() as patch:
        patch.setattr(conduct, "HEARTBEAT", 0.01)
        patch.setattr(Crew, "ended", press)
        patch.setattr(Crew, "stop", lambda crew: (stop(crew), Path("go").touch()))
        assert main(["sweep", "sweep.yaml", "--jobs", "1"]) == INTERRUPTED
    first, second = rows(workplace / "sweeps" / "tiny")
    assert (first["status"], first["rounds"], second["status"]) == ("interrupted", "2", "waiting")
    assert "The same command goes on." in capsys.readouterr().err
    assert main(["sweep", "sweep.yaml", "--jobs", "2"]) == DONE
    first, second = rows(workplace / "sweeps" / "tiny")
    unbroken = holdfast.run(holdfast.Experiment(**{**TINY, "rounds": 4, "attack": "own_attacks:Patient"}), "unbroken")
    assert float(first["test_accuracy"]) == unbroken.final("test_accuracy")
    assert (first["rounds"], second["rounds"]) == ("4", "4")


def test_a_directory_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(InputError, match="--out must be new, or the directory of a sweep"):
        sweep(SWEEP, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_two_sweeps_never_share_a_directory(tmp_path, no_processes):
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(SWEEP))
    with (tmp_path / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="be swept by one command at a time"):
            sweep(SWEEP, tmp_path)


def test_what_only_the_data_tell_is_refused_before_anything_runs(tmp_path, no_processes):
    with pytest.raises(InputError, match=r"In the cell nodes=5000: partition.* must"):
        sweep({**TINY, "grid": {"nodes": [4, 5000]}}, tmp_path / "out")
    with pytest.raises(InputError, match=r"In the cell metrics=\[test_acuracy\]|In the cell metrics=test_acuracy"):
        sweep({**TINY, "grid": {"metrics": [["test_acuracy"]]}}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_graph_too_sparse_for_the_rule_is_impossible(tmp_path):
    peers = {**TINY, "algorithm": "dsgd", "topology": "cycle", "grid": {"aggregator": [{"name": "median", "f": 2}]}}
    (record,) = sweep(peers, tmp_path / "out").records
    assert record.status == "impossible"
    assert "at least 4 neighbours for median" in record.reason


@pytest.mark.parametrize("keep", [0, 1.5])
def test_the_part_to_keep_is_a_part(tmp_path, keep):
    with pytest.raises(InputError, match="--keep must be above 0"):
        sweep(SWEEP, tmp_path, keep=keep)
