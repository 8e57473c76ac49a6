"""The commands as a user meets them, when something is wrong."""

from __future__ import annotations

import json

import pytest

from holdfast.cli import DONE, WRONG_INPUT, main

from .tiny import TINY


def refused(capsys, *arguments: str) -> str:
    assert main(list(arguments)) == WRONG_INPUT
    told = capsys.readouterr().err.strip()
    assert len(told.splitlines()) == 1, told
    assert told.startswith("holdfast: ")
    return told


@pytest.mark.parametrize(
    ("command", "fields", "words"),
    [
        (
            "run",
            {"grid": {"seed": [1]}},
            ["grid must stand in a file for `holdfast sweep`", "holdfast sweep sweep.yaml"],
        ),
        ("sweep", {}, ["grid must be given", "holdfast run"]),
        ("sweep", {"grid": {"sed": [1]}}, ["grid.sed", "Did you mean 'seed'?"]),
        ("sweep", {"grid": {"seed": [1, 2]}, "where": [{"sed": 1}]}, ["where.0.sed", "Did you mean 'seed'?"]),
    ],
)
def test_a_wrong_file_is_one_paragraph_and_nothing_is_written(command, fields, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep.yaml").write_text(json.dumps({**TINY, **fields}))
    told = refused(capsys, command, "sweep.yaml", "--out", "out")
    assert all(word in told for word in words)
    assert not (tmp_path / "out").exists()


def test_a_table_of_nothing(tmp_path, capsys):
    assert "RUNS must hold a sweep" in refused(capsys, "table", str(tmp_path), "--rows", "seed")


def test_a_format_that_there_is_not(tmp_path, capsys):
    assert main(["table", str(tmp_path), "--rows", "seed", "--format", "word"]) == WRONG_INPUT
    assert "latex" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["sweep", "table"])
def test_help_has_an_example(command, capsys):
    assert main([command, "--help"]) == DONE
    assert f"Example: holdfast {command}" in " ".join(capsys.readouterr().out.split())
