"""Everything on this machine, in one command."""

from __future__ import annotations

import sys

import pytest

import holdfast
from holdfast import Experiment, InputError
from holdfast.launch.join import NodeSettings
from holdfast.launch.local import MOST_PROCESSES, Nodes, up

TINY = {
    "problem": {"name": "digits", "model": "logistic"},
    "nodes": 4,
    "rounds": 2,
    "algorithm": {"name": "fedavg", "local_steps": 1},
    "engine": "sequential",
}


@pytest.fixture(autouse=True)
def without_plots(monkeypatch):
    monkeypatch.setattr(sys.modules["holdfast.run"], "write_report", lambda directory: directory)


def test_up_gives_what_a_simulation_gives(tmp_path):
    experiment = Experiment(**TINY, variants={"mean": {}, "median": {"aggregator": "median"}})
    result = up(experiment, 2, out=tmp_path / "up")
    expected = holdfast.run(experiment, tmp_path / "run").summary["variants"]
    for name, about in result.summary["variants"].items():
        assert about["status"] == "done"
        assert about["final"] == pytest.approx(expected[name]["final"], rel=1e-5)
    logs = {path.name: path.read_text() for path in (tmp_path / "up" / "logs").iterdir()}
    assert logs.keys() == {"node-0.log", "node-1.log"}
    assert "hosting nodes 0-1" in logs["node-0.log"]
    assert all("over: done" in log for log in logs.values())


def test_up_gives_what_a_simulation_gives_among_peers(tmp_path):
    experiment = Experiment(**{**TINY, "algorithm": "dsgd", "topology": "cycle"})
    result = up(experiment, 2, out=tmp_path / "up")
    expected = holdfast.run(experiment, tmp_path / "run").summary["variants"]["main"]["final"]
    assert result.summary["variants"]["main"]["final"] == pytest.approx(expected, rel=1e-5)


def test_what_is_wrong_shows_before_a_process_starts(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="--out must be a directory that does not exist yet"):
        up(Experiment(**TINY), out=tmp_path / "there")
    assert not list((tmp_path / "there").iterdir())


@pytest.mark.parametrize(
    ("nodes", "processes", "rows"), [(4, 2, ["0-1", "2-3"]), (2, 5, ["0", "1"]), (3, None, ["0", "1", "2"])]
)
def test_nodes_are_spread_over_processes(nodes, processes, rows):
    assert Nodes(nodes, processes, NodeSettings("")).rows == rows


def test_many_nodes_share_a_few_processes():
    made = Nodes(1000, None, NodeSettings(""))
    assert len(made.rows) == MOST_PROCESSES
    assert made.roster.nodes["node-0"].rows == "0-49"
