from __future__ import annotations

import pytest

from holdfast.algorithms.federated.fedadam import FedAdam

from ..tiny import line, play, simulation
from .test_fedavg import ONE_STEP


def test_by_hand() -> None:
    # At 0 the update is 2: m = ½·2 and v = ¾·2² + ¼·2² = 4, so that x = 1/(2 + 2). Then the update is ½(4 - ¼).
    fields = {"server_lr": 1.0, "beta1": 0.5, "beta2": 0.75, "tau": 2.0}
    first, second = play(simulation(algorithm=FedAdam(**fields, **ONE_STEP), **line(2.0, 6.0)), 2).flatten()
    assert first == 0.25
    update = (4 - 0.25) / 2
    m, v = 0.5 * 1 + 0.5 * update, 0.75 * 4 + 0.25 * update**2
    assert second == pytest.approx(0.25 + m / (v**0.5 + 2))
