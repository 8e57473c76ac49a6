"""The command line as a user meets it."""

from __future__ import annotations

import json

import pytest

from holdfast import load
from holdfast.catalogue import FAMILIES, catalogue
from holdfast.cli import DONE, FAILED, INTERRUPTED, main
from holdfast.runtimes.simulation import Simulation

TINY = {
    "name": "tiny",
    "problem": {"name": "digits", "model": "logistic"},
    "nodes": 4,
    "rounds": 2,
    "algorithm": {"name": "fedavg", "local_steps": 1},
    "engine": "sequential",
}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(json.dumps(TINY))
    return path


def test_run_ends_with_a_short_summary_and_the_report(tiny, capsys):
    assert main(["run", str(tiny), "--out", "result", "--set", "rounds=1"]) == DONE
    told = capsys.readouterr().out
    assert "result/report.html" in told
    assert "accuracy" in told
    assert json.loads((tiny.parent / "result" / "summary.json").read_text())["variants"]["main"]["rounds"] == 1


def test_without_out_a_run_gets_a_directory_with_time_and_name(tiny, capsys):
    assert main(["run", str(tiny)]) == DONE
    (made,) = (tiny.parent / "runs").iterdir()
    assert made.name.endswith("-tiny")


def test_two_runs_of_the_same_second_get_directories_of_their_own(tiny, capsys, monkeypatch):
    monkeypatch.setattr("time.strftime", lambda form: "20260101-120000")
    assert main(["run", str(tiny)]) == DONE
    assert main(["run", str(tiny)]) == DONE
    made = sorted(path.name for path in (tiny.parent / "runs").iterdir())
    assert made == ["20260101-120000-tiny", "20260101-120000-tiny-2"]


def test_an_interrupted_run_says_how_to_go_on_and_does(tiny, capsys, monkeypatch):
    import signal

    step = Simulation.step
    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "step", lambda self, n: (signal.raise_signal(signal.SIGINT), step(self, n))[1])
        assert main(["run", str(tiny), "--out", "result"]) == INTERRUPTED
    assert "holdfast resume result" in capsys.readouterr().err
    assert main(["resume", "result"]) == DONE


def test_a_run_of_which_every_variant_diverges_fails(tiny, capsys):
    overrides = ["--set", "attack=nan", "--set", "name=lost"]
    assert main(["run", str(tiny), "--out", "result", *overrides]) == FAILED
    assert "diverged" in capsys.readouterr().err


def test_report_draws_again(tiny, capsys):
    main(["run", str(tiny), "--out", "result"])
    (tiny.parent / "result" / "report.html").unlink()
    assert main(["report", "result"]) == DONE
    assert (tiny.parent / "result" / "report.html").exists()


def test_list_names_every_component_and_parameter(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["list"]) == DONE
    told = capsys.readouterr().out
    for family in FAMILIES:
        for name, cls in catalogue(family).items():
            assert name in told
            for parameter, info in cls.model_fields.items():
                assert parameter in told
                assert info.description, f"{name}.{parameter} has no description"


def test_list_of_one_family(capsys):
    assert main(["list", "codecs"]) == DONE
    told = capsys.readouterr().out
    assert "top_k" in told
    assert "krum" not in told


def test_schema_is_json_and_knows_every_component(capsys):
    assert main(["schema"]) == DONE
    text = capsys.readouterr().out
    assert json.loads(text)["title"] == "Experiment"
    for family in FAMILIES:
        if family != "models":  # within problems
            assert all(f'"const": "{name}"' in text for name in catalogue(family))


def test_new_writes_a_file_that_is_valid_as_it_is(tmp_path, capsys):
    assert main(["new", str(tmp_path / "mine.yaml")]) == DONE
    assert list(load(tmp_path / "mine.yaml").variants) == ["plain mean", "robust"]


@pytest.mark.parametrize("command", ["run", "resume", "report", "list", "schema", "new"])
def test_help_has_an_example(command, capsys):
    assert main([command, "--help"]) == DONE
    assert f"Example: holdfast {command}" in " ".join(capsys.readouterr().out.split())


def test_version(capsys):
    assert main(["--version"]) == DONE
    assert capsys.readouterr().out.startswith("holdfast 0.")


@pytest.mark.parametrize("arguments", [["run"], ["fly"], ["run", "a", "--nope"]])
def test_usage_errors_exit_with_2(arguments, capsys):
    assert main(arguments) == 2
