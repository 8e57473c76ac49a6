from __future__ import annotations

import pytest

from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.triggers.delta_switch import DeltaSwitch

from ..tiny import Blobs, line, notes, play, simulation
from .news import news, spoken


def told_to_speak(models: list[float], **fields: float) -> list[int]:
    return spoken(DeltaSwitch(**fields), 1, [news(99, [0.0], x=x) for x in models])[0]


def test_by_hand() -> None:
    # The exchange of round 3 moved the model by 1, that of round 6 by 0.05.
    models = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.05, 9.0, 9.0]
    assert told_to_speak(models, every=3, threshold=0.1) == [3, 6, 7, 8, 9]


def test_between_two_exchanges_nothing_moves_and_that_does_not_count() -> None:
    assert told_to_speak([0.0] * 9, every=4, threshold=0.1) == [4, 8]


def test_never_goes_back() -> None:
    models = [0.0, 0.0, 0.05, 8.0, 99.0, -5.0]
    assert told_to_speak(models, every=2, threshold=0.1) == [2, 3, 4, 5, 6]


def test_in_a_simulation() -> None:
    # With lr ½ the model goes 0, 4, 6, 7: the change falls below 1½ with the third exchange, in round 6.
    algorithm = {"name": "fedavg", "local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}
    trigger = {"name": "delta_switch", "every": 2, "threshold": 1.5}
    sim = simulation(algorithm=algorithm, trigger=trigger, rounds=9, **line(8.0, 8.0))
    assert play(sim, 9).flatten().tolist() == [0, 4, 4, 6, 6, 7, 7.5, 7.75, 7.875]
    assert [round for round in range(1, 10) if notes(sim).by_node(round, "bytes_up")] == [2, 4, 6, 7, 8, 9]


def test_refuses_an_interval_longer_than_the_run() -> None:
    with pytest.raises(InputError, match=r"trigger\.every must be at most 5"):
        Experiment(problem=Blobs(), algorithm="fedavg", rounds=5, trigger={"name": "delta_switch", "every": 6})
