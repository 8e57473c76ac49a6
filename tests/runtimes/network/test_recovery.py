"""Processes that are killed and come back: others work on their samples meanwhile, and every process knows who does."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from holdfast.runtimes.network import wire
from holdfast.runtimes.network.identity import Identity, verify

from ...tiny import Blobs, notes, play, simulation
from .cluster import Cluster, cluster
from .gates import PATIENCE, Gates, after_rounds, until


def wait_for_all(made: Cluster) -> None:
    """Take in what nodes say at the door until all of them are there."""
    until(lambda: made.office.next(0.01) is None and made.rounds.present == made.experiment.nodes, "all are there")


def test_others_take_the_sample_of_a_killed_node_until_it_is_back(tmp_path: Path) -> None:
    gates = Gates(tmp_path / "gates")
    fields = gates.fields(3, network={"min_nodes": 2}, recovery="shard")
    with cluster(tmp_path, ["0", "1", "2"], **fields) as made:
        made.start()
        made.rounds.ready(1)
        wait_for_all(made)
        made.play(1)
        with gates.closed(1):
            rest = made.playing(1, first=2)
            gates.reached(1)
            made.signal("node-1", signal.SIGKILL)
            rest.result(PATIENCE)
        assert made.notes.of("suspected") == [(2, 1)]
        assert made.play(1, first=3).item() == pytest.approx(after_rounds(10, [0, 1, 2], [0, 2], [0, 1, 2]))
        assert made.notes.of("recovered") == [(3, 1)]
        made.start("node-1")
        wait_for_all(made)
        last = made.play(1, first=4).item()
        assert last == pytest.approx(after_rounds(10, [0, 1, 2], [0, 2], [0, 1, 2], [0, 1, 2]))
        assert made.notes.of("reclaimed") == [(4, 1)]
        assert made.notes.by_node(4, "bytes_down").keys() == {0, 1, 2}


def test_processes_report_and_take_over_as_a_simulation_does(tmp_path: Path) -> None:
    faults = [{"name": "crash", "node": 1, "at_round": 3, "back_at": 5}]
    recovery = {"kind": "most_representative", "samples": 3, "track_every": 2}
    fields: dict[str, Any] = {"problem": Blobs(samples=48), "nodes": 4, "faults": faults, "recovery": recovery}
    fields |= {"algorithm": {"name": "fedavg", "batch_size": 6}, "engine": "sequential", "rounds": 5}
    sim = simulation(**fields)
    expected_KD = play(sim, 5)[-1]
    with cluster(tmp_path, ["0-1", "2", "3"], **fields) as made:
        made.start()
        np.testing.assert_allclose(made.play(5), expected_KD, rtol=1e-5, atol=1e-5)
        assert made.rounds.server.reported_Nn.tolist() == sim.server.reported_Nn.tolist()
        for kind in ("recovered", "reclaimed", "dropped"):
            assert made.notes.of(kind) == notes(sim).of(kind)
        for round in range(1, 6):
            for name in ("bytes_up", "bytes_down", "header_bytes_up"):
                assert made.notes.by_node(round, name) == notes(sim).by_node(round, name)
    assert notes(sim).of("recovered") == [(3, 1)]


ALICE = Identity.fresh("alice")
PARCEL = wire.Parcel(
    run="ab", sender="alice", to="bob", phase="broadcast", round=3, nodes=[0], specs=[], chunk=wire.CHUNK, digests=b""
)


def opened(**fields: Any) -> wire.Statement:
    """The manifest of a broadcast with other fields, as it comes over the wire."""
    body = msgspec.msgpack.encode(msgspec.msgpack.decode(msgspec.msgpack.encode(PARCEL)) | fields)
    return wire.opened(ALICE.sign(body) + body, lambda statement, said, by: verify(ALICE.public, said, by))


def test_who_is_gone_travels_with_the_broadcast() -> None:
    lost = {3: [], 7: [0, 5, 2**31 - 1]}
    said = opened(lost=lost)
    assert isinstance(said, wire.Parcel)
    assert said.lost == lost


@pytest.mark.parametrize("lost", [{-1: []}, {10_000_000: []}, {3: [-1]}, {3: [2**31]}, {3: [0.5]}, {"3": []}, [3]])
def test_nobody_can_be_gone_who_cannot_be_there(lost: object) -> None:
    with pytest.raises(wire.MessageError, match="malformed"):
        opened(lost=lost)
