"""The tray keeps order, and bounds what one sender can leave in it."""

from __future__ import annotations

import pytest

from holdfast.runtimes.network.tray import PENDING, Tray
from holdfast.runtimes.network.wire import MessageError


def test_first_in_first_out_with_the_time_of_coming():
    tray = Tray[int]()
    for number in range(3):
        tray.put(number)
    taken = [tray.take(0) for _ in range(3)]
    assert [what for _, what in taken] == [0, 1, 2]
    assert sorted(taken) == taken
    assert tray.take(0) is None


def test_one_sender_cannot_take_the_room_of_others():
    tray = Tray[int]()
    for number in range(PENDING):
        tray.put(number, "mallory")
    with pytest.raises(MessageError, match="too many"):
        tray.put(0, "mallory")
    tray.put(1, "alice")
    tray.put(2)
    tray.take(0)
    tray.put(3, "mallory")  # one was taken, so there is room for one
    assert sum(tray.take(0) is not None for _ in range(PENDING + 5)) == PENDING + 2
    assert not tray._pending
