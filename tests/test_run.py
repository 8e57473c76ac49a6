"""A whole run: its directory, resuming bit for bit, and how it ends."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
from importlib import import_module
from itertools import count

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from holdfast import Experiment, InputError, load, resume, run
from holdfast.checkpoint import Checkpoint
from holdfast.due import Due
from holdfast.run import RUNTIMES, Deployment
from holdfast.runtimes.simulation import Simulation

from .record.test_recorder import tensorboard_events

FAULTY = {
    "name": "faulty",
    "problem": {"name": "digits", "model": {"name": "mlp", "hidden": [8]}},
    "nodes": 6,
    "partition": {"name": "dirichlet", "alpha": 1.0},
    "algorithm": {"name": "fedavg", "local_steps": 2, "batch_size": 8, "max_staleness": 1},
    "rounds": 6,
    "checkpoint_every": 2,
    "engine": "stacked",
    "chunk_rows": 6,
    "attack": {"name": "gaussian", "nodes": 1},
    "codec": {"name": "error_feedback", "codec": ["top_k", "int8"]},
    "faults": [
        {"name": "drop", "probability": 0.2},
        {"name": "delay", "probability": 0.3},
        {"name": "crash", "node": 2, "at_round": 2, "back_at": 4},
    ],
    "variants": {"mean": {}, "median": {"aggregator": "median"}},
}


def final_model(directory) -> dict[str, torch.Tensor]:
    return load_file(next((directory / "checkpoint").glob("state-*.safetensors")))


def record(directory) -> tuple[str, str]:
    return (directory / "metrics.csv").read_text(), (directory / "events.jsonl").read_text()


def stop_after(monkeypatch, round: int, variant: int = 0) -> None:
    """Send this process Ctrl-C during a round of a variant."""
    step, seen = Simulation.step, []

    def interrupted(self, number):
        seen.extend([number] if number == round else [])
        if number == round and len(seen) == variant + 1:
            signal.raise_signal(signal.SIGINT)
        return step(self, number)

    monkeypatch.setattr(Simulation, "step", interrupted)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return run(Experiment(**FAULTY), tmp_path_factory.mktemp("runs") / "unbroken")


def test_a_directory_whose_name_is_too_long(tmp_path):
    with pytest.raises(InputError, match="--out must be a directory that can be made"):
        run(Experiment(**FAULTY), tmp_path / ("x" * 300))
    assert not list(tmp_path.iterdir())


def test_the_run_directory_holds_what_it_promises(unbroken):
    names = {path.name for path in unbroken.directory.iterdir()}
    promised = {"experiment.yaml", "metrics.csv", "summary.json", "events.jsonl", "report.html", "plots", "tensorboard"}
    assert promised | {"checkpoint", "eval"} == names
    assert json.loads((unbroken.directory / "summary.json").read_text()) == unbroken.summary
    assert [v["status"] for v in unbroken.summary["variants"].values()] == ["done", "done"]
    assert {"lost", "crash", "return", "stale"} <= set(unbroken.summary["variants"]["mean"]["events"])


def test_the_saved_experiment_runs_again_to_the_same_numbers(unbroken, tmp_path):
    again = run(load(unbroken.directory / "experiment.yaml"), tmp_path / "again")
    assert record(again.directory) == record(unbroken.directory)


@pytest.mark.parametrize(("round", "variant"), [(1, 0), (3, 0), (6, 0), (2, 1)])
def test_resume_gives_the_numbers_of_an_unbroken_run_bit_for_bit(unbroken, tmp_path, monkeypatch, round, variant):
    with monkeypatch.context() as patch:
        stop_after(patch, round, variant)
        first = run(Experiment(**FAULTY), tmp_path / "broken")
    assert first.interrupted
    second = resume(first.directory)
    assert not second.interrupted
    assert record(second.directory) == record(unbroken.directory)
    ours, theirs = final_model(second.directory), final_model(unbroken.directory)
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def test_a_killed_run_goes_on_from_its_last_checkpoint(unbroken, tmp_path, monkeypatch):
    def killed(self, number):
        if number == 5:
            raise SystemError("as if by SIGKILL")
        return step(self, number)

    step = Simulation.step
    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "step", killed)
        with pytest.raises(SystemError):
            run(Experiment(**FAULTY), tmp_path / "killed")
    assert record(resume(tmp_path / "killed").directory) == record(unbroken.directory)


def test_resuming_a_finished_run_changes_no_number(unbroken, tmp_path):
    shutil.copytree(unbroken.directory, tmp_path / "copy")
    again = resume(tmp_path / "copy")
    assert record(again.directory) == record(unbroken.directory)
    assert again.summary["variants"]["mean"]["final"] == unbroken.summary["variants"]["mean"]["final"]


def test_a_changed_experiment_is_not_resumed(unbroken, tmp_path):
    shutil.copytree(unbroken.directory, tmp_path / "copy")
    file = tmp_path / "copy" / "experiment.yaml"
    file.write_text(file.read_text().replace("seed: 1", "seed: 2"))
    before = record(tmp_path / "copy")
    with pytest.raises(InputError, match="be the experiment of the checkpoint"):
        resume(tmp_path / "copy")
    assert record(tmp_path / "copy") == before


def test_peers_resume_too(tmp_path, monkeypatch):
    peers = Experiment(
        problem={"name": "digits", "model": "logistic"},
        nodes=5,
        algorithm={"name": "dsgd", "mu": 0.1, "max_staleness": 2},
        topology="cycle",
        rounds=4,
        engine="stacked",
        chunk_rows=5,
        trigger={"name": "periodic", "every": 2},
        faults=[{"name": "delay", "probability": 0.5, "rounds": 2}],
    )
    whole = run(peers, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        broken = run(peers, tmp_path / "broken")
    assert record(resume(broken.directory).directory) == record(whole.directory)


def test_nothing_is_written_where_the_input_is_wrong(tmp_path):
    wrong = Experiment(problem="digits", algorithm="fedavg", metrics=["acuracy"])
    with pytest.raises(InputError, match="metrics must be among those that apply here"):
        run(wrong, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_whose_model_is_nan_stops_as_diverged_with_its_record(tmp_path):
    result = run(
        Experiment(
            problem={"name": "digits", "model": "logistic"},
            nodes=4,
            algorithm={"name": "fedavg", "local_steps": 1},
            rounds=5,
            attack={"name": "nan", "nodes": 1},
            variants={"mean": {"aggregator": "mean"}, "median": {"aggregator": "median"}},
        ),
        tmp_path / "out",
    )
    mean, median = result.summary["variants"].values()
    assert (mean["status"], mean["rounds"], median["status"], median["rounds"]) == ("diverged", 1, "done", 5)
    assert mean["events"]["diverged"] == 1
    assert not result.failed
    assert result.report.exists()


def test_the_debug_runtime_gives_the_same_numbers(tmp_path):
    small = Experiment(**{**FAULTY, "rounds": 2, "engine": "sequential", "chunk_rows": 1})
    fast, plain = run(small, tmp_path / "fast"), run(small, tmp_path / "plain", runtime="debug")
    for variant in ("mean", "median"):
        assert fast.final("test_loss", variant) == pytest.approx(plain.final("test_loss", variant), abs=1e-5)


def test_a_disk_that_takes_no_checkpoint_costs_the_checkpoint_and_not_the_run(tmp_path, monkeypatch):
    def full(checkpoint: Checkpoint, folder: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Checkpoint, "write", full)
    shown = Console(record=True, file=io.StringIO(), width=200)
    small = Experiment(problem="digits", algorithm="fedavg", nodes=3, rounds=3, engine="sequential", checkpoint_every=2)
    result = run(small, tmp_path / "out", console=shown)
    main = result.summary["variants"]["main"]
    assert (main["status"], main["rounds"], main["events"]) == ("done", 3, {"unsaved": 2})
    assert "no checkpoint after round 2: No space left on device. Free some space" in shown.export_text()


SMALL = {
    "problem": {"name": "digits", "model": "logistic"},
    "algorithm": {"name": "fedavg", "local_steps": 1},
    "nodes": 3,
    "engine": "sequential",
    "rounds": 5,
}
MODULE = import_module("holdfast.run")
RATES = ("seconds", "first_round_seconds", "rounds_per_second", "rounds_per_second_after_first")


@pytest.fixture
def _no_report(monkeypatch):
    """Without the report, which takes most of a small run's time."""
    monkeypatch.setattr(MODULE, "write_report", lambda directory: None)


def evaluated(result) -> list[tuple[str, int]]:
    """(variant, round) of every line in the evaluation files."""
    files = sorted((result.directory / "eval").iterdir())
    return [(file.name, int(line.split("\t")[1])) for file in files for line in file.read_text().splitlines()]


@pytest.mark.usefixtures("_no_report")
def test_the_evaluation_file_has_a_line_an_evaluation_and_the_values_of_the_metrics(tmp_path):
    result = run(Experiment(**SMALL, evaluate_every=2, metrics=["test_loss"]), tmp_path / "out")
    assert evaluated(result) == [("main", round) for round in (0, 2, 4, 5)]
    lines = [line.split("\t") for line in (result.directory / "eval" / "main").read_text().splitlines()]
    assert [float(line[0]) for line in lines] == sorted(float(line[0]) for line in lines)
    values = dict(part.rsplit(":", 1) for part in lines[-1][2:])
    assert {name: float(value) for name, value in values.items()} == {"test_loss": result.final("test_loss")}


@pytest.mark.usefixtures("_no_report")
@pytest.mark.parametrize(("round", "variant"), [(3, 0), (1, 1), (4, 1)])
def test_a_killed_and_resumed_run_notes_no_evaluation_twice(unbroken, tmp_path, monkeypatch, round, variant):
    seen = []

    def killed(self, number):
        seen.extend([number] if number == round else [])
        if number == round and len(seen) == variant + 1:
            raise SystemError("as if by SIGKILL")
        return step(self, number)

    step = Simulation.step
    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "step", killed)
        with pytest.raises(SystemError):
            run(Experiment(**FAULTY), tmp_path / "killed")
    assert evaluated(resume(tmp_path / "killed")) == evaluated(unbroken)


@pytest.mark.usefixtures("_no_report")
def test_null_turns_evaluations_checkpoints_and_summaries_off_but_for_the_end(tmp_path, monkeypatch):
    written = []
    write = Checkpoint.write
    monkeypatch.setattr(Checkpoint, "write", lambda self, folder: (written.append(self.round), write(self, folder)))
    off = {"evaluate_every": None, "checkpoint_every": None, "summary_every": None}
    result = run(Experiment(**{**SMALL, "rounds": 12}, **off), tmp_path / "out")
    assert evaluated(result) == [("main", 0), ("main", 12)]
    assert written == [12]
    assert not (result.directory / "tensorboard").exists()
    assert load(result.directory / "experiment.yaml").evaluate_every > 10**9
    assert "evaluate_every: null" in (result.directory / "experiment.yaml").read_text()


@pytest.mark.usefixtures("_no_report")
def test_a_period_is_enough_without_rounds(tmp_path, monkeypatch):
    """The clock moves by 10 s with each look at it: three clocks look once a round."""
    now = count(step=10)
    monkeypatch.setattr(MODULE, "Due", lambda every, period: Due(every, period, lambda: next(now)))
    written = []
    monkeypatch.setattr(Checkpoint, "write", lambda self, folder: written.append(self.round))
    fields = {"evaluate_every": None, "evaluate_period": 60.0, "checkpoint_every": None, "checkpoint_period": 85.0}
    result = run(Experiment(**SMALL, **fields, summary_every=None, summary_period=1e9), tmp_path / "out")
    # Looks are 30 s apart: evaluations are due after 60 s or two rounds, checkpoints after 90 s or three.
    assert evaluated(result) == [("main", round) for round in (0, 2, 4, 5)]
    assert written == [3, 5]
    assert summarised(result) == {0, 5}


def summarised(result) -> set[int]:
    """The rounds of TensorBoard's scalars."""
    return {
        event.step for event in tensorboard_events(result.directory / "tensorboard" / "main") if event.summary.value
    }


@pytest.mark.usefixtures("_no_report")
def test_summaries_come_every_so_many_rounds_and_at_the_end(tmp_path):
    assert summarised(run(Experiment(**SMALL, summary_every=2), tmp_path / "two")) == {0, 2, 4, 5}
    assert summarised(run(Experiment(**SMALL), tmp_path / "all")) == set(range(6))


@pytest.mark.usefixtures("_no_report")
def test_rounds_a_second_with_and_without_the_first(tmp_path, monkeypatch):
    spent = {1: 8.0, 2: 2.0, 3: 2.0, 4: 3.0, 5: 1.0}
    now = [0.0]
    step = Simulation.step

    def slow(self, round):
        step(self, round)
        now[0] += spent[round]

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    monkeypatch.setattr(Simulation, "step", slow)
    unbroken = run(Experiment(**SMALL), tmp_path / "whole").summary["variants"]["main"]
    assert (unbroken["rounds_per_second"], unbroken["rounds_per_second_after_first"]) == (5 / 16, 4 / 8)
    with monkeypatch.context() as patch:
        patch.setattr(
            Simulation, "step", lambda self, n: (n == 3 and signal.raise_signal(signal.SIGINT), slow(self, n))
        )
        first = run(Experiment(**SMALL), tmp_path / "broken")
    assert first.interrupted
    resumed = resume(first.directory).summary["variants"]["main"]
    assert {key: resumed[key] for key in RATES} == {key: unbroken[key] for key in RATES}


@pytest.mark.usefixtures("_no_report")
def test_a_schedule_of_the_coordinator_goes_on_where_it_was(tmp_path, monkeypatch):
    schedule = {"name": "exponential", "rounds": 2, "rate": 0.5, "warmup": 2}
    optimizer = {"name": "adam", "lr": 0.05, "schedule": schedule}
    stepping = Experiment(**{**SMALL, "algorithm": {"name": "robust_sgd", "optimizer": optimizer}})
    whole = run(stepping, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        broken = run(stepping, tmp_path / "broken")
    assert int(final_model(broken.directory)["server/optimizer.steps_taken"]) == 3
    resumed = resume(broken.directory)
    assert record(resumed.directory) == record(whole.directory)
    assert torch.equal(final_model(resumed.directory)["server/x"], final_model(whole.directory)["server/x"])


@pytest.mark.usefixtures("_no_report")
def test_among_peers_elsewhere_only_the_round_says_when_to_evaluate(tmp_path):
    elsewhere = Deployment(RUNTIMES["simulation"].make, 1, pinned=False)
    fields = {**SMALL, "algorithm": "dsgd", "topology": "complete", "evaluate_period": 5.0}
    with pytest.raises(InputError, match="evaluate_period must be null among peers in processes of their own"):
        run(Experiment(**fields), tmp_path / "out", runtime=elsewhere)
    assert not (tmp_path / "out").exists()
    run(Experiment(**{**fields, "rounds": 1}), tmp_path / "here")
