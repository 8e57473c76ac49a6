"""What a peer's process makes of what it is told."""

from __future__ import annotations

from holdfast.runtimes.network.robot import Robot
from holdfast.runtimes.network.wire import Go


def test_an_earlier_go_that_is_repeated_takes_nothing_back() -> None:
    robot = object.__new__(Robot)
    robot._go = None
    for round in (0, 5, 3):
        robot._handle(Go(run="ab-1", sender="coordinator", to="alice", round=round))
    assert robot._go == 5
