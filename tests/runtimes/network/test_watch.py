"""What the coordinator of peers believes of what it is told and shown: of each process, what is about its own nodes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from holdfast.codecs import Payload
from holdfast.runtimes.network.crew import Member
from holdfast.runtimes.network.desk import Arrived
from holdfast.runtimes.network.identity import parse_rows
from holdfast.runtimes.network.presence import Progress
from holdfast.runtimes.network.wire import CHUNK, Go, Parcel, Ready, Told

from ...tiny import line
from .cluster import Cluster, cluster

ROWS = ["0", "1", "2-3"]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Cluster]:
    """A coordinator with a crew that says nothing of its own accord."""
    fields = {**line(2.0, 4.0, 6.0, 8.0), "algorithm": "dsgd", "topology": "complete", "rounds": 100}
    with cluster(tmp_path, ROWS, **fields) as there:
        there.office.begin("main", 0)
        for number, rows in enumerate(ROWS):
            name = f"node-{number}"
            member = Member(name, "", torch.tensor(parse_rows(rows)).numpy(), "ab", "", Progress(2.0))
            member.alive, member.ready = True, there.office.run
            there.office.crew.members[name] = member
        there.rounds._begun = True
        yield there
        there.office.crew.members.clear()


def told(made: Cluster, sender: str = "node-2", round: int = 1, **fields: Any) -> None:
    """A process tells something of a round."""
    about: dict[str, Any] = {"metrics": [], "events": [], "totals": {}, **fields}
    made.office.tray.put(Told(run=made.office.run, sender=sender, round=round, **about))
    made.rounds._handle(1)


def shows(made: Cluster, *nodes: int) -> bool:
    """Whether the coordinator takes what process 2 shows of these nodes."""
    about: dict[str, Any] = {"phase": "models", "round": 1, "nodes": list(nodes), "specs": [], "digests": b""}
    parcel = Parcel(run=made.office.run, sender="node-2", to="coordinator", chunk=CHUNK, **about)
    payloads = {"x": Payload({"values": torch.ones(len(nodes), 1)}, 1)} if nodes else {}
    made.office.tray.put(Arrived(parcel, payloads))
    made.rounds._handle(1)
    made.rounds._look(1)
    return bool((made.rounds.models() == 1).any())


@pytest.mark.parametrize("nodes", [[], [2], [3]])
def test_who_shows_less_than_all_of_its_models_shows_none(made: Cluster, nodes: list[int]) -> None:
    assert not shows(made, *nodes)
    assert made.office.desk.dropped["missing rows"] == 1
    assert shows(made, 2, 3)
    assert made.rounds.models().flatten().tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("name", ["samples", "bytes_up"])
@pytest.mark.parametrize("value", [1.7e308, 1e300, 2.0**53, -1.0, math.nan, math.inf])
def test_counts_that_are_none(made: Cluster, name: str, value: float) -> None:
    told(made, metrics=[(name, [2, 3], [value, value])])
    made.rounds._write(1)
    assert made.notes.by_node(1, name) == {}
    assert made.rounds.totals["samples"] == 0


@pytest.mark.parametrize(("nodes", "values"), [([0], [1.0]), ([2, 2], [1.0, 2.0]), ([2], [])])
def test_counts_of_other_nodes_or_twice_of_one(made: Cluster, nodes: list[int], values: list[float]) -> None:
    told(made, metrics=[("bytes_up", nodes, values)])
    made.rounds._write(1)
    assert made.notes.by_node(1, "bytes_up") == {}


def test_counts_that_are_some(made: Cluster) -> None:
    told(made, metrics=[("bytes_up", [2, 3], [5.0, 2.0**53 - 1]), ("train_loss", [2], [-1e300])])
    made.rounds._write(1)
    assert made.notes.by_node(1, "bytes_up") == {2: 5, 3: 2**53 - 1}
    assert made.notes.by_node(1, "train_loss") == {2: -1e300}


def test_events_that_a_process_can_know_of(made: Cluster) -> None:
    known = [("crash", 2), ("lost", 3), ("suspected", 0), ("stale", 1)]
    unknown = [("crash", 0), ("crash", None), ("diverged", 2), ("byzantine", 2), ("suspected", 4), ("suspected", None)]
    told(made, events=[(kind, node, "{}") for kind, node in known + unknown])
    made.rounds._write(1)
    assert [(event.kind, event.node) for event in made.notes.noted] == known


@pytest.mark.parametrize(("tales", "reached"), [({}, 4), ({"node-2": 37}, 4), ({"node-1": 7, "node-2": 9}, 7)])
def test_who_returns_goes_on_where_most_of_the_others_are(
    made: Cluster, monkeypatch: pytest.MonkeyPatch, tales: dict[str, int], reached: int
) -> None:
    said: list[Go] = []
    monkeypatch.setattr(made.office, "say", lambda name, what: said.append(what) if isinstance(what, Go) else None)
    for name, round in tales.items():
        told(made, name, round)
    made.office.crew.members["node-0"].ready = ""
    made.office.tray.put(Ready(run=made.office.run, sender="node-0", instance="ab", round=0))
    made.rounds._handle(5)
    assert [(go.to, go.round) for go in said] == [("node-0", reached)]
