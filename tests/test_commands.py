"""The commands for real processes, as a user meets them; what is wrong with an address, a key or a node is in
`tests/runtimes/network/test_join.py`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest

from holdfast.cli import DONE, INTERRUPTED, WRONG_INPUT, main

from .launch.test_local import TINY


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(json.dumps(TINY))
    return path


def final(directory):
    return json.loads((directory / "summary.json").read_text())["variants"]["main"]["final"]


def test_up_is_run_over_real_processes(tiny, tmp_path, capsys):
    assert main(["up", str(tiny), "--processes", "2", "--out", "up", "--set", "rounds=1"]) == DONE
    told = capsys.readouterr().out
    assert "Coordinating at 127.0.0.1:" in told
    assert "up/report.html" in told
    assert main(["run", str(tiny), "--out", "run", "--set", "rounds=1"]) == DONE
    assert final(tmp_path / "up") == pytest.approx(final(tmp_path / "run"), rel=1e-5)
    assert len(list((tmp_path / "up" / "logs").iterdir())) == 2


def test_coordinate_and_join_with_keys(tiny, tmp_path, capsys):
    assert main(["keys", "keys", "--node", "alice=0-3"]) == DONE
    told = capsys.readouterr().out
    assert "holdfast coordinate EXPERIMENT --keys keys/coordinator" in told
    assert "holdfast join HOST:7447 --node alice --keys keys/alice" in told
    command = [sys.executable, "-m", "holdfast"]
    coordinator = subprocess.Popen(
        [*command, "coordinate", tiny, "--keys", "keys/coordinator", "--address", "127.0.0.1:0", "--out", "result"],
        stdout=subprocess.PIPE,
        text=True,
    )
    with coordinator:
        found = None
        while found is None:  # the output ends if there is none
            line = coordinator.stdout.readline()
            assert line
            found = re.search(r"Coordinating at (\S+)", line)
        assert main(["join", found[1], "--keys", "keys/alice"]) == DONE
        assert "result/report.html" in coordinator.stdout.read()
    assert coordinator.returncode == DONE
    assert "Over: done" in capsys.readouterr().out


def test_an_interrupted_run_says_how_to_go_on(tiny, capsys, monkeypatch):
    monkeypatch.setattr(
        "holdfast.runtimes.network.star.RemoteStar.ready", lambda *_: signal.raise_signal(signal.SIGINT)
    )
    monkeypatch.setattr(
        "holdfast.runtimes.network.star.RemoteStar.step", lambda self, round: setattr(self, "round", round)
    )
    assert main(["coordinate", str(tiny), "--address", "127.0.0.1:0", "--out", "result"]) == INTERRUPTED
    assert "holdfast coordinate --resume result" in capsys.readouterr().err


def test_keys_enrol_further_nodes_but_no_node_twice(tmp_path, capsys):
    assert main(["keys", str(tmp_path / "keys"), "--node", "alice"]) == DONE
    assert main(["keys", str(tmp_path / "keys"), "--node", "bob=3"]) == DONE
    assert (tmp_path / "keys" / "bob" / "cert.pem").exists()
    capsys.readouterr()
    assert main(["keys", str(tmp_path / "keys"), "--node", "alice"]) == WRONG_INPUT
    told = capsys.readouterr().err
    assert "nodes must be names that are new" in told
    assert "'alice'" in told


@pytest.mark.parametrize("command", ["keys", "coordinate", "join", "up"])
def test_help_has_an_example(command, capsys):
    assert main([command, "--help"]) == DONE
    assert f"Example: holdfast {command}" in " ".join(capsys.readouterr().out.split())
