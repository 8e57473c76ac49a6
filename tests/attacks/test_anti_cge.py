from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.attacks.anti_cge import AntiCge

from .contexts import context, rows


def by_norm(x: np.ndarray, f: int) -> list[int]:
    """The n - f rows of least norm: the rule that the attack is made against."""
    return sorted(sorted(range(len(x)), key=lambda i: (float(np.linalg.norm(x[i])), i))[: len(x) - f])


def test_by_hand() -> None:
    """f = 2 attackers: of norms 5, 1, 10, 2, the last and the second are kept; the next longer one is 5 long."""
    honest_HD = torch.tensor([[3.0, 4.0], [0.0, 1.0], [10.0, 0.0], [0.0, 2.0]])
    sent_BD = AntiCge().corrupt({}, honest_HD, torch.zeros(2, 2), context(0, 1))[1]
    torch.testing.assert_close(sent_BD, torch.tensor([[0.0, -4.95]] * 2))


@pytest.mark.parametrize("f", [1, 2, 3])
def test_a_rule_by_norm_takes_all_attackers_in_and_is_turned_against_the_mean(f: int) -> None:
    honest_HD = rows(8) + 1
    sent_BD = AntiCge().corrupt({}, honest_HD, torch.zeros(f, 5), context(*range(f)))[1]
    x = torch.cat([honest_HD, sent_BD]).double().numpy()
    assert set(by_norm(x, f)) >= set(range(8, 8 + f))
    shortest = by_norm(x[:8], f)
    total = x[shortest].sum(0)
    next_one = sorted(np.linalg.norm(x[:8], axis=1))[8 - f]
    np.testing.assert_allclose(x[8], -0.99 * next_one * total / np.linalg.norm(total), rtol=1e-5)


def test_more_tolerated_than_there_are_rows() -> None:
    honest_HD = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    sent_BD = AntiCge().corrupt({}, honest_HD, torch.zeros(4, 2), context(0, 1, 2, 3))[1]
    torch.testing.assert_close(sent_BD, torch.tensor([[-2.97, 0.0]] * 4))


def test_rows_that_cancel_leave_nothing_to_oppose() -> None:
    honest_HD = torch.tensor([[1.0], [-1.0], [9.0]])
    assert AntiCge().corrupt({}, honest_HD, torch.zeros(1, 1), context(0))[1].tolist() == [[0.0]]
