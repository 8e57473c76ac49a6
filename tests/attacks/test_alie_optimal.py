from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.aggregators import Aggregator
from holdfast.attacks.alie import Alie
from holdfast.attacks.alie_optimal import AlieOptimal
from holdfast.catalogue import build
from holdfast.errors import InputError

from .contexts import against, harm, rows

RULES = ["mean", {"name": "median", "f": 3}, {"name": "trimmed_mean", "f": 3}, {"name": "krum", "f": 3}]
CHAIN = [{"name": "nnm", "f": 3}, {"name": "krum", "f": 3}]


def test_by_hand() -> None:
    """Against the mean the farthest is best: of 1, 3 the mean is 2 and the standard deviation 1."""
    honest_HD = torch.tensor([[1.0, 4.0], [3.0, 4.0]])
    sent_BD = AlieOptimal(most=7).corrupt({}, honest_HD, torch.zeros(2, 2), against(build(Aggregator, "mean"), 2))[1]
    assert sent_BD.tolist() == [[9.0, 4.0]] * 2


@pytest.mark.parametrize("rule", [*RULES, CHAIN])
def test_harms_no_less_than_alie_within_the_bounds(rule: object) -> None:
    rule, honest_HD, own_BD = build(Aggregator, rule), rows(10, columns=30), rows(3, columns=30, seed=4)
    sent_BD = AlieOptimal(most=5).corrupt({}, honest_HD, own_BD, against(rule, 3))[1]
    plain_BD = Alie().corrupt({}, honest_HD, own_BD, against(rule, 3))[1]
    assert harm(rule, honest_HD, sent_BD) >= harm(rule, honest_HD, plain_BD) - 1e-6
    x = honest_HD.double().numpy()
    factors = (sent_BD[0].double().numpy() - x.mean(0)) / x.std(0)
    np.testing.assert_allclose(factors, factors[0], atol=1e-4)
    assert -1e-4 <= factors[0] <= 5 + 1e-4


def test_against_krum_it_finds_what_a_fine_grid_finds() -> None:
    rule, honest_HD = build(Aggregator, RULES[3]), rows(10, columns=30)
    x, worst = honest_HD, 0.0
    for z in np.linspace(0, 5, 501).tolist():
        lie_D = x.mean(0) + z * x.std(0, correction=0)
        worst = max(worst, harm(rule, x, lie_D.repeat(3, 1)))
    sent_BD = AlieOptimal(most=5, evaluations=40).corrupt({}, x, torch.zeros(3, 30), against(rule, 3))[1]
    assert harm(rule, x, sent_BD) >= 0.97 * worst


def test_where_the_rule_would_refuse_it_is_alie() -> None:
    rule, honest_HD, own_BD = build(Aggregator, RULES[3]), rows(4), rows(1, seed=4)
    sent_BD = AlieOptimal().corrupt({}, honest_HD, own_BD, against(rule, 1))[1]
    assert torch.equal(sent_BD, Alie().corrupt({}, honest_HD, own_BD, against(rule, 1))[1])


def test_refuses_bounds_upside_down() -> None:
    with pytest.raises(InputError, match=r"most must be at least least, 3\.0"):
        AlieOptimal(least=3, most=2)
