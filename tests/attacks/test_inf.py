from __future__ import annotations

import torch

from holdfast.attacks.inf import Inf

from .contexts import context


def test_by_hand() -> None:
    assert Inf().corrupt({}, torch.zeros(0, 2), torch.zeros(3, 2), context(1, 2, 3))[1].isposinf().all()
