from __future__ import annotations

import numpy as np

from holdfast.faults import Fault
from holdfast.faults.crash import Crash
from holdfast.faults.delay import Delay
from holdfast.faults.drop import Drop
from holdfast.faults.straggle import Straggle
from holdfast.runtimes.weather import Weather
from holdfast.types import SERVER

NODES = np.arange(6)


def test_without_faults_the_weather_is_fine() -> None:
    weather = Weather((), seed=1)
    assert weather.up(1, NODES).all()
    assert (weather.work(1, NODES) == 1).all()
    assert (weather.lateness(1, NODES) == 0).all()
    assert weather.delivers(1, NODES, NODES[::-1]).all()
    assert weather.reaches(1, NODES).all()
    assert weather.uploads(1, NODES).all()


def test_every_fault_strikes() -> None:
    crashes = Crash(node=1, at_round=2, back_at=4), Crash(node=3, at_round=3)
    assert [Weather(crashes, 1).up(t, NODES).tolist() for t in (1, 2, 3, 4)] == [
        [True] * 6,
        [True, False, True, True, True, True],
        [True, False, True, False, True, True],
        [True, True, True, False, True, True],
    ]
    slow = Straggle(nodes=(0, 1), factor=2), Straggle(nodes=(1,), factor=4)
    assert Weather(slow, 1).work(1, NODES).tolist() == [0.5, 0.125, 1, 1, 1, 1]
    late = Delay(probability=1, rounds=3, nodes=(0, 1)), Delay(probability=1, rounds=1, nodes=(1, 2))
    assert Weather(late, 1).lateness(1, NODES).tolist() == [3, 3, 1, 0, 0, 0]


def test_a_message_arrives_where_no_fault_loses_it() -> None:
    faults: tuple[Fault, ...] = Drop(probability=0.5, direction="up"), Drop(probability=0.5, direction="both")
    ends = np.arange(200), np.arange(200)[::-1]
    arrives = [fault.delivers(7, *ends, seed=1) for fault in faults]
    assert (Weather(faults, 1).delivers(7, *ends) == arrives[0] & arrives[1]).all()


def test_broadcasts_and_uploads_are_links_with_the_coordinator() -> None:
    down, up = (Weather((Drop(probability=1, direction=way),), 1) for way in ("down", "up"))
    assert not down.reaches(1, NODES).any()
    assert down.uploads(1, NODES).all()
    assert up.reaches(1, NODES).all()
    assert not up.uploads(1, NODES).any()
    some = Weather((Drop(probability=0.5),), 1)
    assert (some.reaches(3, NODES) == some.delivers(3, np.full(6, SERVER), NODES)).all()
    assert (some.uploads(3, NODES) == some.delivers(3, NODES, np.full(6, SERVER))).all()
