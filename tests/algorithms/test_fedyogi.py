from __future__ import annotations

import pytest
import torch

from holdfast.algorithms.federated.fedyogi import FedYogi

from ..tiny import line, play, simulation
from .test_fedavg import ONE_STEP


def test_by_hand() -> None:
    # At 0 the update is 2, m = ½·2, and v goes up from 1 by ¾·2² to 4: x = 1/(2 + 1). Then the update is ½(4 - ⅓), and
    # v comes down, for its square is below 4.
    fields = {"server_lr": 1.0, "beta1": 0.5, "beta2": 0.25, "tau": 1.0}
    first, second = play(simulation(algorithm=FedYogi(**fields, **ONE_STEP), **line(2.0, 6.0)), 2).flatten()
    assert first == pytest.approx(1 / 3)
    update = (4 - 1 / 3) / 2
    m, v = 0.5 * 1 + 0.5 * update, 4 - 0.75 * update**2
    assert second == pytest.approx(1 / 3 + m / (v**0.5 + 1))


def test_v_moves_towards_the_squares_by_a_share_of_them() -> None:
    v_P, squares_P = torch.tensor([1.0, 4.0, 9.0, 1.0]), torch.tensor([4.0, 4.0, 4.0, 0.0])
    assert FedYogi(beta2=0.75).second_moment(v_P, squares_P).tolist() == [2.0, 4.0, 8.0, 1.0]
