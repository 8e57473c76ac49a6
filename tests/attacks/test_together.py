from __future__ import annotations

import torch
from torch import Tensor

from holdfast.attacks import Context
from holdfast.attacks.together import Collusion

from .contexts import context, rows


class Sum(Collusion):
    """Sends the sum of what it sees and how many send it."""

    def row(self, honest_HD: Tensor, attackers: int, context: Context) -> Tensor:
        return honest_HD.sum(0) + attackers


def test_all_send_the_same() -> None:
    sent_BD = Sum().corrupt({}, torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.zeros(3, 2), context(0, 1, 2))[1]
    assert sent_BD.tolist() == [[7.0, 9.0]] * 3
    sent_BD[0] = 0  # rows of their own, not views of one
    assert sent_BD[1].tolist() == [7.0, 9.0]


def test_broken_rows_are_left_out_of_sight() -> None:
    honest_HD = torch.tensor([[1.0, 2.0], [torch.nan, 0.0], [0.0, torch.inf]])
    assert Sum().corrupt({}, honest_HD, torch.zeros(1, 2), context(0))[1].tolist() == [[2.0, 3.0]]


def test_sends_the_truth_where_nothing_is_seen() -> None:
    own_BD = rows(2)
    for honest_HD in (own_BD[:0], torch.full((3, 5), torch.nan)):
        assert torch.equal(Sum().corrupt({}, honest_HD, own_BD, context(0, 1))[1], own_BD)
