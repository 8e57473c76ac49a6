from __future__ import annotations

import pytest
import torch

from holdfast.errors import InputError
from holdfast.triggers.periodic import Periodic


def spoken_rounds(every: int, rounds: int) -> list[int]:
    x_KD, losses_K = torch.zeros(3, 2), torch.zeros(3)
    masks = [Periodic(every=every).speakers({}, t, x_KD, x_KD, losses_K)[1] for t in range(1, rounds + 1)]
    assert all(mask.all() or not mask.any() for mask in masks), "not all together"
    return [t for t, mask in enumerate(masks, start=1) if mask.any()]


def test_by_hand() -> None:
    assert spoken_rounds(1, 4) == [1, 2, 3, 4]
    assert spoken_rounds(3, 10) == [3, 6, 9]


def test_says_whether_it_ever_silences() -> None:
    assert not Periodic().may_silence()
    assert Periodic(every=2).may_silence()


def test_refuses_no_interval() -> None:
    with pytest.raises(InputError, match="every must be greater than or equal to 1"):
        Periodic(every=0)
