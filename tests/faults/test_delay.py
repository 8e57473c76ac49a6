from __future__ import annotations

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.faults.delay import Delay

NODES = np.arange(2000)


def test_by_hand() -> None:
    delay = Delay(probability=1, rounds=3, nodes=(1, 4))
    assert delay.lateness(0, np.array([0, 1, 4, 5]), seed=1).tolist() == [0, 3, 3, 0]
    assert delay.last_node() == 4
    assert Delay().last_node() == -1


def test_strikes_about_as_often_as_it_says_and_anew_each_round() -> None:
    first_K, later_K = (Delay(probability=0.3, rounds=2).lateness(t, NODES, seed=1) == 2 for t in (0, 1))
    assert abs(first_K.mean() - 0.3) < 5 * (0.3 * 0.7 / 2000) ** 0.5
    assert abs((first_K & later_K).mean() - 0.09) < 5 * (0.09 * 0.91 / 2000) ** 0.5


def test_refuses_what_is_not_late() -> None:
    for wrong in ({"rounds": 0}, {"probability": 2}, {"nodes": [-1]}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            Delay(**wrong)
