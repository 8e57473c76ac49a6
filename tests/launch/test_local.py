"""Everything on this machine, in one command."""

from __future__ import annotations

import signal
import sys

import pytest

import holdfast
from holdfast import Experiment, InputError
from holdfast.launch.join import NodeSettings
from holdfast.launch.local import MOST_PROCESSES, Nodes, up, up_again
from holdfast.runtimes.network.star import RemoteStar

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


def test_after_ctrl_c_the_nodes_go_on_from_what_they_remember(tmp_path, monkeypatch):
    """Each has a model of its own that it did not send, which a start afresh would lose."""
    algorithm = {"name": "fedavg", "local_steps": 1, "keep_local": True}
    experiment = Experiment(
        **{**TINY, "rounds": 4, "algorithm": algorithm, "trigger": {"name": "periodic", "every": 2}}
    )
    step = RemoteStar.step
    with monkeypatch.context() as patch:
        patch.setattr(
            RemoteStar, "step", lambda self, n: (n == 3 and signal.raise_signal(signal.SIGINT), step(self, n))
        )
        broken = up(experiment, 2, out=tmp_path / "up")
    assert (broken.interrupted, broken.summary["variants"]["main"]["rounds"]) == (True, 3)
    result = up_again(tmp_path / "up", 2)
    expected = holdfast.run(experiment, tmp_path / "run").summary["variants"]["main"]["final"]
    assert result.summary["variants"]["main"]["final"] == pytest.approx(expected, rel=1e-5)
    assert "can go on" in (tmp_path / "up" / "logs" / "node-0.log").read_text()


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
