from __future__ import annotations

import torch

from holdfast.attacks.min_sum import MinSum

from .contexts import context
from .test_spread import DIRECTIONS


def test_by_hand() -> None:
    """Of 0, 0, 6 with mean 2, the last has distances of 36 + 36 = 72: 2b² + (b - 6)² = 72 where 3(b - 2)² = 48."""
    honest_HD = torch.tensor([[0.0], [0.0], [6.0]])
    for direction in DIRECTIONS:
        sent_BD = MinSum(direction=direction).corrupt({}, honest_HD, torch.zeros(2, 1), context(0, 1))[1]
        torch.testing.assert_close(sent_BD, torch.tensor([[-2.0]] * 2))
