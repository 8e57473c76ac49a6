from __future__ import annotations

import pytest

from holdfast.algorithms.federated.fedadagrad import FedAdagrad

from ..tiny import line, play, simulation
from .test_fedavg import ONE_STEP


def test_by_hand() -> None:
    # At 0 the update is 2 and v = 1½² + 2² = 2½²: x = 2/(2½ + 1½). Then the update is ½(4 - ½).
    fields = {"server_lr": 1.0, "tau": 1.5}
    first, second = play(simulation(algorithm=FedAdagrad(**fields, **ONE_STEP), **line(2.0, 6.0)), 2).flatten()
    assert first == 0.5
    assert second == pytest.approx(0.5 + 1.75 / ((2.5**2 + 1.75**2) ** 0.5 + 1.5))
