"""Nodes that are killed, paused, stuck or late, and coordinators that go away: training holds fast."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import socket
import sys
import threading
from contextlib import contextmanager

import pytest

from holdfast import Experiment
from holdfast.checkpoint import Checkpoint
from holdfast.launch.coordinate import Site, coordinate, go_on
from holdfast.launch.join import NodeSettings
from holdfast.launch.local import start_node
from holdfast.record.recorder import Recorder
from holdfast.runtimes.network.desk import Arrived
from holdfast.runtimes.network.identity import Identity
from holdfast.runtimes.network.post import Address

from ...tiny import play, simulation
from .cluster import cluster
from .gates import PATIENCE, Gates, after_rounds, until


@pytest.fixture(autouse=True)
def without_plots(monkeypatch):
    monkeypatch.setattr(sys.modules["holdfast.run"], "write_report", lambda directory: directory)


@pytest.fixture
def gates(tmp_path):
    return Gates(tmp_path / "gates")


def why(made, kind="suspected"):
    """(round, node, why) of the events of a kind."""
    return [(e.round, e.node, e.detail["why"]) for e in made.notes.noted if e.kind == kind]


# ------------------------------------------------------------------------------------------ nodes that fail


def test_a_killed_node_is_left_out_at_once_and_comes_back(tmp_path, gates):
    with cluster(tmp_path, ["0", "1", "2"], **gates.fields(3, network={"min_nodes": 3})) as made:
        made.start()
        made.play(1)
        with gates.closed(1):
            rest = made.playing(1, first=2)
            gates.reached(1)
            made.signal("node-1", signal.SIGKILL)
            model = rest.result(PATIENCE)  # long before the deadline
        assert model.item() == pytest.approx(after_rounds(10, [0, 1, 2], [0, 2]))
        assert why(made) == [(2, 1, "gone")]
        rest = made.playing(2, first=3)
        until(lambda: made.notes.of("paused"), "two of three are too few")
        made.start("node-1")
        assert rest.result(PATIENCE).item() == pytest.approx(
            after_rounds(10, [0, 1, 2], [0, 2], [0, 2], [0, 1, 2])  # left out of one round for having failed
        )
        assert made.notes.of("absent") == [(3, 1)]


def test_a_node_that_is_paused_is_suspected_and_comes_back(tmp_path, gates):
    with cluster(tmp_path, ["0", "1", "2"], **gates.fields(3, network={"lease": 0.5, "min_nodes": 3})) as made:
        made.start()
        made.play(1)
        with gates.closed(2):
            rest = made.playing(1, first=2)
            gates.reached(2)
            made.signal("node-2", signal.SIGSTOP)
            assert rest.result(PATIENCE).item() == pytest.approx(after_rounds(10, [0, 1, 2], [0, 1]))
        assert why(made) == [(2, 2, "gone")]
        rest = made.playing(2, first=3)
        until(lambda: made.notes.of("paused"), "two of three are too few")
        made.signal("node-2", signal.SIGCONT)
        expected = after_rounds(10, [0, 1, 2], [0, 1], [0, 1], [0, 1, 2])
        assert rest.result(PATIENCE).item() == pytest.approx(expected)


def test_a_node_that_is_there_but_gets_nowhere_is_suspected(tmp_path, gates):
    with cluster(tmp_path, ["0", "1"], **gates.fields(2, rounds=1000, network={"patience": 1.0})) as made:
        made.start()
        round = 0
        while round == 0 or len(made.office.crew.members["node-1"].progress.intervals) < 3:
            round += 1
            made.play(1, first=round)
        with gates.closed(1):
            made.playing(1, first=round + 1).result(PATIENCE)
        assert why(made) == [(round + 1, 1, "stalled")]


@pytest.mark.parametrize("max_staleness", [1, 0])
def test_a_round_closes_with_a_quorum_at_the_deadline_and_what_comes_later_is_late(tmp_path, gates, max_staleness):
    algorithm, network = {"max_staleness": max_staleness}, {"deadline": 0.5, "quorum": 0.5}
    with cluster(tmp_path, ["0", "1", "2"], **gates.fields(3, algorithm=algorithm, network=network)) as made:
        put, arrived = made.office.desk.put, []
        made.office.desk.put = lambda what: (arrived.append(what), put(what))
        made.start()
        with gates.closed(1):
            first = made.playing(1).result(PATIENCE)
        assert first.item() == pytest.approx(after_rounds(10, [0, 2]))
        assert why(made) == [(1, 1, "deadline")]

        def came():
            late = [what for what in arrived if isinstance(what, Arrived) and what.manifest.sender == "node-1"]
            return late if max_staleness else made.office.desk.dropped["unexpected"]

        until(came, "the late update")
        second = made.play(1, first=2).item()
        if max_staleness:
            assert made.notes.of("stale") == [(2, 1)]
            late = 0.5 * (1 - 10)  # what node 1 said of the first model
            own = [0.5 * (node - first.item()) for node in (0, 2)]
            assert second == pytest.approx(first.item() + (sum(own) + late) / 3)
        else:
            assert made.notes.events["dropped"] == 1
            assert second == pytest.approx(after_rounds(10, [0, 2], [0, 2]))


def test_a_node_that_leaves_in_order_may_return(tmp_path, gates):
    with cluster(tmp_path, ["0", "1"], **gates.fields(2, network={"min_nodes": 2})) as made:
        made.start()
        made.play(1)
        made.signal("node-1", signal.SIGTERM)
        made.processes["node-1"].join(PATIENCE)
        assert made.processes["node-1"].exitcode == 0
        assert "over: stopped by the user" in made.log("node-1")
        rest = made.playing(1, first=2)
        until(lambda: made.notes.of("paused"), "one of two is too few")
        made.start("node-1")
        assert rest.result(PATIENCE).item() == pytest.approx(after_rounds(10, [0, 1], [0, 1]))
        assert why(made) == []  # to leave between rounds is no failure


# ------------------------------------------------------------------------------------------ coordinators that go away


def free_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Address("127.0.0.1", free.getsockname()[1])


@contextmanager
def nodes(folder, address, experiment, rows):
    """Node processes that wait for a coordinator at an address."""
    made = {}
    for number, own in enumerate(rows):
        settings = NodeSettings(f"node-{number}", rows=own, experiment=experiment, patience=PATIENCE)
        log = folder / f"node-{number}.log"
        made[settings.name] = start_node(address, Identity.fresh(settings.name), settings, log)
    try:
        yield made
    finally:
        for process in made.values():
            process.join(5)
            process.kill()
            process.join()


def final(directory):
    return Checkpoint.read(directory / "checkpoint").tensors["server/x"].item()


def coordinate_there(experiment, address, out):
    coordinate(experiment, Site(str(address)), out=out)


KEEPING = {"algorithm": {"keep_local": True}, "trigger": {"name": "periodic", "every": 3}}
"""Nodes go on from their own models, in two of three rounds."""


def test_a_coordinator_that_is_killed_goes_on_from_its_checkpoint(tmp_path, gates):
    fields = gates.fields(3, checkpoint_every=1, **KEEPING)
    experiment, address, out = Experiment(**fields), free_address(), tmp_path / "run"
    process = mp.get_context("forkserver").Process(target=coordinate_there, args=(experiment, address, out))
    gates.close(1, passes=4)
    with nodes(tmp_path, address, experiment, ["0", "1-2"]):
        process.start()
        gates.reached(1)  # in round 5
        process.kill()
        process.join()
        gates.open(1)
        assert Checkpoint.read(out / "checkpoint").round == 4
        result = go_on(out, Site(str(address)))
    assert result.summary["variants"]["main"]["status"] == "done"
    assert final(out) == pytest.approx(play(simulation(**fields), 9)[-1].item(), rel=1e-5)


def test_nodes_may_come_first_and_every_variant_runs_over_them(tmp_path, gates):
    experiment = Experiment(**gates.fields(2, variants={"three": {"rounds": 3}, "five": {"rounds": 5}}))
    address = free_address()
    with nodes(tmp_path, address, experiment, ["0", "1"]) as made:
        logs = [tmp_path / f"{name}.log" for name in made]
        until(lambda: all(log.exists() and "waiting" in log.read_text() for log in logs), "the nodes wait")
        result = coordinate(experiment, Site(str(address)), out=tmp_path / "run")
    assert {n: (v["status"], v["rounds"]) for n, v in result.summary["variants"].items()} == {
        "three": ("done", 3),
        "five": ("done", 5),
    }
    assert final(tmp_path / "run") == pytest.approx(after_rounds(10, *[[0, 1]] * 5))
    assert all("over: done" in log.read_text() for log in logs)


def test_a_run_that_is_interrupted_while_it_waits_for_nodes_can_go_on(tmp_path, gates, monkeypatch):
    experiment, address = Experiment(**gates.fields(2, network={"min_nodes": 2}, rounds=4)), free_address()
    out, event, paused = tmp_path / "run", Recorder.event, threading.Event()

    def watched(self, round, kind, *about, **detail):
        event(self, round, kind, *about, **detail)
        if kind == "paused":
            paused.set()

    def leave(process):
        try:
            gates.reached(1)
            process.kill()
            until(paused.is_set, "one of two is too few")
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Recorder, "event", watched)
    gates.close(1)
    with nodes(tmp_path, address, experiment, ["0", "1"]) as made:
        meanwhile = threading.Thread(target=leave, args=[made["node-1"]])
        meanwhile.start()
        result = coordinate(experiment, Site(str(address)), out=out)
        meanwhile.join()
    assert result.interrupted
    assert Checkpoint.read(out / "checkpoint").round == 1
    gates.open(1)
    with nodes(tmp_path, address, experiment, ["0", "1"]):
        result = go_on(out, Site(str(address)))
    assert not result.interrupted
    assert final(out) == pytest.approx(after_rounds(10, [0], *[[0, 1]] * 3))


# ------------------------------------------------------------------------------------------ among peers


def peers(gates, **fields):
    return gates.fields(3, **{"algorithm": {"name": "dsgd"}, "topology": "complete", "checkpoint_every": 1, **fields})


def model_of(folder, round):
    """The model of the only peer of a process after a round, as the process keeps it."""
    (kept,) = folder.glob(f"*/{round}")
    return Checkpoint.read(kept).tensors["nodes/algorithm/rows.x"].item()


def test_peers_finish_without_the_coordinator(tmp_path, gates):
    fields = peers(gates)
    with cluster(tmp_path, ["0", "1", "2"], **fields) as made:
        gates.close(1, passes=2)
        for name in made.identities:
            made.start(name, state_dir=tmp_path / name)
        made.play(2)
        gates.reached(1)  # in round 3
        made.close_office()
        gates.open(1)
        for process in made.processes.values():
            process.join(PATIENCE)
        assert all("all rounds are done, and the coordinator is gone" in made.log(name) for name in made.processes)
    expected_K = play(simulation(**fields), 9)[-1][:, 0]
    assert [model_of(tmp_path / name, 9) for name in made.identities] == pytest.approx(expected_K, rel=1e-5)


def test_peers_go_on_without_one_that_is_killed_and_let_it_in_again(tmp_path, gates):
    fields = peers(gates)
    with cluster(tmp_path, ["0", "1", "2"], **fields) as made:
        gates.close(0, passes=4)
        gates.close(1, passes=2)
        for name in made.identities:
            made.start(name, state_dir=tmp_path / name)
        rest = made.playing(9)
        gates.reached(1)  # in round 3
        made.signal("node-1", signal.SIGKILL)
        gates.open(1)
        gates.reached(0)  # in round 5
        gates.close(1)
        made.start("node-1", state_dir=tmp_path / "node-1")
        gates.reached(1)  # in the round that the others are in
        gates.open(1)
        gates.open(0)
        rest.result(PATIENCE)
    assert {event[:2] for event in why(made)} >= {(3, 1), (4, 1)}
    assert all(event[1:] == (1, "gone") for event in why(made))
    assert made.notes.by_node(9, "train_loss").keys() == {0, 1, 2}


def test_a_peer_that_was_paused_goes_on_where_the_others_are(tmp_path, gates):
    fields = peers(gates)
    fields["network"] = {**fields.get("network", {}), "lease": 0.5}
    with cluster(tmp_path, ["0", "1", "2"], **fields) as made:
        gates.close(0, passes=4)
        gates.close(1, passes=2)
        made.start()
        rest = made.playing(9)
        gates.reached(1)  # in round 3
        made.signal("node-1", signal.SIGSTOP)
        gates.open(1)
        gates.reached(0)  # in round 5, so the others did not wait
        made.signal("node-1", signal.SIGCONT)
        until(lambda: len(made.office.crew.rows_present(made.office.run)) == 3, "all are there again")
        gates.open(0)
        rest.result(PATIENCE)
    assert {event[:2] for event in why(made)} >= {(3, 1), (4, 1)}
    assert made.notes.by_node(9, "train_loss").keys() == {0, 1, 2}
