from __future__ import annotations

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.faults.straggle import Straggle

NODES = np.arange(2000)


def test_by_hand() -> None:
    straggle = Straggle(nodes=(1, 4), factor=5)
    assert straggle.work(0, np.array([0, 1, 4, 5]), seed=1).tolist() == [1.0, 0.2, 0.2, 1.0]
    assert straggle.last_node() == 4
    assert Straggle().last_node() == -1


def test_who_is_slow_is_drawn_once() -> None:
    slow = [Straggle(fraction=0.2, factor=2).work(t, NODES, seed=1) == 0.5 for t in (0, 7)]
    assert (slow[0] == slow[1]).all()
    assert abs(slow[0].mean() - 0.2) < 5 * (0.2 * 0.8 / 2000) ** 0.5
    assert (slow[0] != (Straggle(fraction=0.2).work(0, NODES, seed=2) == 0.5)).any()


def test_a_slow_node_may_have_good_rounds() -> None:
    always = Straggle(fraction=0.5).work(3, NODES, seed=1) < 1
    sometimes = Straggle(fraction=0.5, probability=0.4).work(3, NODES, seed=1) < 1
    assert (sometimes <= always).all()
    assert abs(sometimes.sum() / always.sum() - 0.4) < 0.1


def test_refuses_what_is_not_slow() -> None:
    for wrong in ({"factor": 1}, {"probability": 2}, {"nodes": [-1]}, {"fraction": -1}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            Straggle(**wrong)
