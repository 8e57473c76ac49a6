from __future__ import annotations

import pytest
import torch

from holdfast.attacks.sign_flip import SignFlip
from holdfast.errors import InputError

from .contexts import context


def test_by_hand() -> None:
    own_BD = torch.tensor([[1.0, -2.0], [0.0, 4.0]])
    sent_BD = SignFlip(scale=2.5).corrupt({}, torch.zeros(0, 2), own_BD, context(3, 5))[1]
    assert sent_BD.tolist() == [[-2.5, 5.0], [0.0, -10.0]]


def test_refuses_a_scale_that_does_not_flip() -> None:
    with pytest.raises(InputError, match="scale must be greater than 0"):
        SignFlip(scale=-1)
