"""The office hands on what belongs to the run under way, and takes note of signs of life without piling them up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from holdfast.runtimes.network.crew import Member
from holdfast.runtimes.network.desk import STATEMENTS, Arrived
from holdfast.runtimes.network.office import Office
from holdfast.runtimes.network.presence import Progress
from holdfast.runtimes.network.tray import PENDING
from holdfast.runtimes.network.wire import CHUNK, Beat, Parcel, Ready, Statement, sealed

from ...tiny import line
from .cluster import Cluster, cluster


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Cluster]:
    """A coordinator with a member that says nothing of its own accord."""
    with cluster(tmp_path, ["0"], **line(2.0), algorithm="fedavg") as there:
        member = Member("node-0", there.identities["node-0"].public, np.array([0]), "ab", "", Progress(2.0), alive=True)
        there.office.begin("main", 0)
        there.office.crew.members["node-0"] = member
        yield there
        there.office.crew.members.clear()


def says(made: Cluster, kind: type[Any], **fields: Any) -> None:
    """The member says something."""
    about: dict[str, Any] = {"run": made.office.run, "sender": "node-0", "instance": "ab", **fields}
    made.office.desk.receive("node-0", STATEMENTS, sealed(made.identities["node-0"], kind(**about)))


def test_signs_of_life_take_no_room_from_what_is_to_be_read(made: Cluster) -> None:
    member = made.office.crew.members["node-0"]
    for count in range(1, 2 * PENDING):
        says(made, Beat, count=count)
    says(made, Beat, count=1000, instance="cd")
    says(made, Beat, count=2 * PENDING)
    says(made, Ready, round=0)
    assert isinstance(made.office.next(0), Ready)
    assert not made.office.desk.dropped
    assert member.progress.count == 2 * PENDING
    assert not made.office._beats


def left_over(office: Office) -> list[Arrived | Statement]:
    """What lies in the tray of the run that is over."""
    run = office.run
    about: dict[str, Any] = {"phase": "update", "round": 10, "nodes": [0], "specs": [], "digests": b""}
    update = Parcel(run=run, sender="node-0", to="coordinator", chunk=CHUNK, **about)
    return [Arrived(update, {}), Ready(run=run, sender="node-0", instance="ab", round=0)]


def test_what_was_left_of_the_variant_before_is_not_handed_on(made: Cluster) -> None:
    old = left_over(made.office)
    for what in old:
        made.office.tray.put(what)
    assert [type(made.office.next(0)) for _ in old] == [Arrived, Ready]
    for what in old:
        made.office.tray.put(what)
    made.office.begin("main", 0)
    assert [made.office.next(0) for _ in old] == [None, None]
    assert made.office.crew.members["node-0"].ready == ""
