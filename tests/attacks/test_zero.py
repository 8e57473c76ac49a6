from __future__ import annotations

import torch

from holdfast.attacks.zero import Zero

from .contexts import context, rows


def test_by_hand() -> None:
    assert torch.equal(Zero().corrupt({}, torch.zeros(0, 5), rows(3), context(1, 2, 3))[1], torch.zeros(3, 5))


def test_even_where_the_truth_is_no_number() -> None:
    own_BD = torch.full((1, 5), torch.nan)
    assert torch.equal(Zero().corrupt({}, torch.zeros(0, 5), own_BD, context(1))[1], torch.zeros(1, 5))
