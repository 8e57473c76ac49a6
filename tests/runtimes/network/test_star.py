"""The coordinator's rounds over real processes, where they differ from those that other tests play."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from holdfast.runtimes.network.wire import Report

from ...tiny import line
from ..test_simulation import STEP, Quorum
from .cluster import cluster
from .gates import PATIENCE, Gates, after_rounds, until


@pytest.mark.parametrize("link", ["reliable", "best_effort"])
def test_the_coordinator_asks_the_silent_one_after_another(tmp_path: Path, link: str) -> None:
    mute = {"name": "periodic", "every": 1000}
    fields = {"algorithm": Quorum(keep_local=True, **STEP), "trigger": mute, **line(2.0, 4.0, 6.0, 8.0, 10.0)}
    with cluster(tmp_path, ["0-1", "2-4"], **fields, rounds=1000, network={"link": link}) as made:
        made.start()
        assert made.play(1).item() == pytest.approx((1 + 2 + 3) / 3)
        assert made.notes.by_node(1, "bytes_up") == {0: 4, 1: 4, 2: 4}
        # Who was asked has sent its work and starts from the broadcast, 2; nodes 3 and 4 go on from their own models.
        assert made.play(1, first=2).item() == pytest.approx(2 + (0 + 1 + 2) / 3)


def test_who_has_begun_anew_is_sent_the_whole_model(tmp_path: Path) -> None:
    fields = {**line(2.0, 4.0, start=1.0), "rounds": 4, "algorithm": {"name": "fedavg", **STEP}}
    fields |= {"downlink": {"name": "delta", "codec": "float16"}, "network": {"min_nodes": 2}}
    with cluster(tmp_path, ["0", "1"], **fields) as made:
        made.start()
        made.play(1)
        made.signal("node-1", signal.SIGKILL)
        until(lambda: not made.office.crew.members["node-1"].alive, "node 1 is gone")
        made.start("node-1")
        model = made.play(2, first=2).item()
        assert model == pytest.approx(3 - 2 * 0.5**3, abs=0.01)
        assert made.rounds.server.holders["x"].tolist() == [0, 1]


def test_asynchronous_rounds_do_not_wait_for_the_slow(tmp_path: Path) -> None:
    gates = Gates(tmp_path / "gates")
    algorithm = {"name": "fedbuff", "buffer": 2, "local_steps": 1, "optimizer": {"name": "sgd", "lr": 0.5}}
    with cluster(tmp_path, ["0", "1", "2"], **gates.fields(3, algorithm=algorithm)) as made:
        gates.close(2)
        made.start()
        assert made.play(2).item() == pytest.approx(after_rounds(10, [0, 1], [0, 1]))
        gates.reached(2)
        gates.close(1)
        third = made.playing(1, first=3)
        gates.reached(1)
        gates.open(2)  # its update of round 1 and node 0's of round 3 end the round
        model = third.result(PATIENCE).item()
        gates.open(1)
        second, stale = after_rounds(10, [0, 1], [0, 1]), 3**-0.5
        assert model == pytest.approx(second + (0.5 * (0 - second) + stale * 0.5 * (2 - 10)) / 2)
        assert made.notes.of("stale") == [(3, 2)]
        assert made.notes.of("suspected") == []


def report(made, **changes: object) -> Report:
    about = {"run": made.office.run, "sender": "node-1", "instance": "ab", "nodes": [1], "values": bytes(8)}
    return Report(**{**about, **changes})


def test_reports_that_are_not_the_senders_or_too_long_are_dropped(tmp_path: Path) -> None:
    with cluster(tmp_path, ["0", "1"], **line(2.0, 4.0), algorithm="fedavg") as made:
        made.rounds._reports = torch.full((2, 2), torch.nan)
        member = SimpleNamespace(rows_K=np.array([1]))
        made.office.crew.members["node-1"] = member
        for wrong in ({"nodes": [0]}, {"nodes": [0, 1]}, {"values": bytes(4)}, {"values": b""}, {"sender": "node-9"}):
            made.rounds._note_report(report(made, **wrong))
        assert made.office.desk.dropped["wrong report"] == 5
        made.rounds._note_report(report(made, values=np.array([1, 2], dtype="<f4").tobytes()))
        assert made.rounds.survey(1)[1].tolist() == [1.0, 2.0]
        assert made.rounds.survey(1)[0].isnan().all()
        del made.office.crew.members["node-1"]
