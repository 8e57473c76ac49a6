from __future__ import annotations

import pytest
import torch

from holdfast.attacks.constant import Constant
from holdfast.errors import InputError

from .contexts import context, rows


def test_by_hand() -> None:
    for attack, value in [(Constant(), 1.0), (Constant(value=-2.5), -2.5)]:
        assert attack.corrupt({}, torch.zeros(0, 5), rows(2), context(1, 2))[1].tolist() == [[value] * 5] * 2


def test_refuses_what_is_no_number() -> None:
    with pytest.raises(InputError, match="value must be a finite number"):
        Constant(value=float("nan"))
