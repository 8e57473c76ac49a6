from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.aggregators import Aggregator
from holdfast.attacks.ipm import Ipm
from holdfast.attacks.ipm_optimal import IpmOptimal
from holdfast.catalogue import build

from .contexts import against, harm, rows
from .test_alie_optimal import CHAIN, RULES


def test_by_hand() -> None:
    """Against the mean the farthest is best: minus three times the mean (2, 4)."""
    honest_HD = torch.tensor([[1.0, 4.0], [3.0, 4.0]])
    sent_BD = IpmOptimal(most=3).corrupt({}, honest_HD, torch.zeros(2, 2), against(build(Aggregator, "mean"), 2))[1]
    assert sent_BD.tolist() == [[-6.0, -12.0]] * 2


@pytest.mark.parametrize("rule", [*RULES, CHAIN])
def test_harms_no_less_than_ipm_within_the_bounds(rule: object) -> None:
    rule, honest_HD, own_BD = build(Aggregator, rule), rows(10, columns=30) + 0.2, rows(3, columns=30, seed=4)
    sent_BD = IpmOptimal(least=0.1, most=4).corrupt({}, honest_HD, own_BD, against(rule, 3))[1]
    plain_BD = Ipm().corrupt({}, honest_HD, own_BD, against(rule, 3))[1]
    assert harm(rule, honest_HD, sent_BD) >= harm(rule, honest_HD, plain_BD) - 1e-6
    factors = -sent_BD[0].double().numpy() / honest_HD.double().numpy().mean(0)
    np.testing.assert_allclose(factors, factors[0], rtol=1e-3)
    assert 0.1 - 1e-4 <= factors[0] <= 4 + 1e-4


def test_where_the_rule_would_refuse_it_is_ipm_or_as_near_as_the_bounds_allow() -> None:
    rule, honest_HD, own_BD = build(Aggregator, RULES[3]), rows(4), rows(1, seed=4)
    for attack, plain in [(IpmOptimal(), Ipm()), (IpmOptimal(most=0.5), Ipm(epsilon=0.5))]:
        sent_BD = attack.corrupt({}, honest_HD, own_BD, against(rule, 1))[1]
        torch.testing.assert_close(sent_BD, plain.corrupt({}, honest_HD, own_BD, against(rule, 1))[1])
