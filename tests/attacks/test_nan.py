from __future__ import annotations

import torch

from holdfast.attacks.nan import Nan

from .contexts import context


def test_by_hand() -> None:
    assert Nan().corrupt({}, torch.zeros(0, 2), torch.zeros(3, 2), context(1, 2, 3))[1].isnan().all()
