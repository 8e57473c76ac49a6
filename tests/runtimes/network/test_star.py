"""The coordinator's rounds over real processes, where they differ from those that other tests play."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from holdfast.runtimes.network import star
from holdfast.runtimes.network.crew import Member
from holdfast.runtimes.network.desk import Arrived
from holdfast.runtimes.network.identity import COORDINATOR, parse_rows
from holdfast.runtimes.network.presence import Progress
from holdfast.runtimes.network.wire import CHUNK, Parcel, Report
from holdfast.runtimes.rounds import StoppedError

from ...tiny import line
from ..test_simulation import STEP, Quorum
from .cluster import Cluster, cluster
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


def test_nobody_answers_a_survey_that_there_is_not(tmp_path: Path) -> None:
    with cluster(tmp_path, ["0", "1"], **line(2.0, 4.0), algorithm="fedavg") as made:
        made.office.crew.members["node-1"] = SimpleNamespace(rows_K=np.array([1]))
        made.rounds._note_report(report(made, values=b""))
        assert made.office.desk.dropped["wrong report"] == 1
        del made.office.crew.members["node-1"]


def test_of_each_node_the_first_report_counts(tmp_path: Path) -> None:
    with cluster(tmp_path, ["0", "1-2"], **line(2.0, 4.0, 6.0), algorithm="fedavg") as made:
        made.rounds._reports = torch.full((3, 1), torch.nan)
        made.office.crew.members["node-1"] = SimpleNamespace(rows_K=np.array([1, 2]))
        for nodes in ([1], [1], [1, 2], [2, 1], [2, 2]):
            values = np.arange(len(made.rounds._surveyed), 9, dtype="<f4")[: len(nodes)]
            made.rounds._note_report(report(made, nodes=nodes, values=values.tobytes()))
        assert made.rounds._reports.flatten().tolist()[1:] == [0.0, 2.0]
        assert [nodes.tolist() for nodes in made.rounds._surveyed] == [[1], [2]]
        assert made.office.desk.dropped["wrong report"] == 1
        del made.office.crew.members["node-1"]


class Liars:
    """Processes that get on and never answer, on a clock that passes a second at each look around.

    Args:
        made: the run, of which this takes the office's part.
    """

    def __init__(self, made: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.made = 0.0, made
        self.arrived: list[Arrived] = []
        self.wanted = {}
        for number, rows in enumerate(made.rows.values()):
            member = Member(f"node-{number}", "", np.array(parse_rows(rows)), "ab", "", Progress(2.0), alive=True)
            self.wanted[member.name] = star._Wanted(member, member.rows_K)
        monkeypatch.setattr(star, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(made.office, "next", self.next)
        for wanted in self.wanted.values():
            wanted.start()

    def next(self, timeout: float) -> Arrived | None:
        assert self.now < 100, "it waits for ever"
        self.now += 1
        for wanted in self.wanted.values():
            wanted.member.progress.beat(int(self.now), self.now)
        return self.arrived.pop() if self.arrived else None

    def update(self, number: int) -> Arrived:
        about = {"phase": "update", "round": 1, "nodes": [number], "weights": [1.0], "losses": [1.0], "specs": []}
        parcel = Parcel(
            run=self.made.office.run, sender=f"node-{number}", to=COORDINATOR, chunk=CHUNK, digests=b"", **about
        )
        return Arrived(parcel, {})


def test_a_buffer_does_not_wait_for_liars_beyond_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {**line(2.0, 4.0, 6.0), "algorithm": {"name": "fedbuff", "buffer": 2}, "network": {"deadline": 10.0}}
    with cluster(tmp_path, ["0", "1", "2"], **fields) as made:
        liars = Liars(made, monkeypatch)
        liars.arrived = [liars.update(0)]
        liars.wanted["node-2"].since = 5.0  # it was asked later
        assert [a.manifest.sender for a in made.rounds._collect(1, "update", liars.wanted)] == ["node-0"]
        assert [(event.node, event.detail["why"]) for event in made.notes.noted] == [(1, "deadline"), (2, "deadline")]
        assert liars.now == 16


@pytest.mark.parametrize("algorithm", ["fedavg", {"name": "fedbuff", "buffer": 2}])
def test_the_user_can_stop_a_round_that_nobody_answers(
    algorithm: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {**line(2.0, 4.0, 6.0), "algorithm": algorithm, "network": {"deadline": 10.0}}
    with cluster(tmp_path, ["0", "1", "2"], **fields) as made:
        liars = Liars(made, monkeypatch)
        liars.wanted["node-2"].since = 5.0
        made.stopping.set()
        with pytest.raises(StoppedError):
            made.rounds._collect(1, "update", liars.wanted)
        assert liars.now == 11


def test_of_a_round_that_is_stopped_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cluster(tmp_path, ["0", "1"], **line(2.0, 4.0), algorithm="fedavg") as made:
        liars = Liars(made, monkeypatch)
        monkeypatch.setattr(made.rounds, "_asked", lambda round: np.array([0, 1]))

        def stop(*about: object) -> None:
            raise StoppedError("too few answers")

        monkeypatch.setattr(made.rounds, "work", stop)
        before = made.rounds.state()
        with pytest.raises(StoppedError):
            made.rounds.step(1)
        after = made.rounds.state()
        assert liars.now == 0
        assert after.keys() == before.keys()
        assert all(torch.equal(after[name], before[name]) for name in before)
