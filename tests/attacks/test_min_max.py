from __future__ import annotations

import torch

from holdfast.attacks.min_max import MinMax

from .contexts import context
from .test_spread import DIRECTIONS


def test_by_hand() -> None:
    """The mean of 1 and 5 is 3; the farthest down that is no more than 4 from 5 is 1."""
    honest_HD = torch.tensor([[1.0], [5.0]])
    for direction in DIRECTIONS:
        sent_BD = MinMax(direction=direction).corrupt({}, honest_HD, torch.zeros(2, 1), context(0, 1))[1]
        torch.testing.assert_close(sent_BD, torch.tensor([[1.0]] * 2))
