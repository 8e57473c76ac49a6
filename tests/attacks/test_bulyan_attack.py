from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.aggregators import Aggregator
from holdfast.attacks.bulyan_attack import BulyanAttack
from holdfast.catalogue import build
from holdfast.errors import InputError

from .contexts import against, rows

KRUM = {"name": "krum", "f": 3}


def test_by_hand() -> None:
    honest_HD, rule = torch.tensor([[1.0, 4.0], [3.0, 8.0]]), build(Aggregator, KRUM)
    sent_BD = BulyanAttack(coordinate=1, scale=-5).corrupt({}, honest_HD, rows(2, 2), against(rule, 2))[1]
    assert sent_BD.tolist() == [[2.0, 1.0]] * 2


def test_against_the_mean_it_goes_as_far_as_it_may() -> None:
    honest_HD = torch.tensor([[1.0, 0.0], [3.0, 0.0]])  # both at distance 1 from their mean
    sent_BD = BulyanAttack(most=7).corrupt({}, honest_HD, rows(1, 2), against(build(Aggregator, "mean"), 1))[1]
    assert sent_BD.tolist() == [[9.0, 0.0]]


def test_krum_takes_it_in_and_hardly_any_more() -> None:
    """Against a fine grid: the greatest λ with which the attackers' row still wins."""
    rule, honest_HD = build(Aggregator, KRUM), rows(10, columns=100)
    attack = BulyanAttack(coordinate=7, most=3, evaluations=60)
    sent_BD = attack.corrupt({}, honest_HD, rows(3, 100), against(rule, 3))[1]
    assert torch.equal(rule(torch.cat([honest_HD, sent_BD])), sent_BD[0])
    mean_D, greatest = honest_HD.mean(0), 0.0
    for scale in np.linspace(0, 30, 3001).tolist():
        lie_D = mean_D.clone()
        lie_D[7] += scale
        if torch.equal(rule(torch.cat([honest_HD, lie_D.repeat(3, 1)])), lie_D):
            greatest = scale
    found_D = (sent_BD[0] - mean_D).numpy()
    assert 0.9 * greatest <= found_D[7] <= greatest + 0.02
    assert greatest > 3, "no leeway to exploit: the test shows nothing"
    np.testing.assert_allclose(np.delete(found_D, 7), 0, atol=1e-6)


def test_where_the_rule_would_refuse_it_goes_as_far_as_the_farthest_row() -> None:
    honest_HD = torch.tensor([[0.0, 0.0], [0.0, 0.0], [3.0, 0.0]])
    sent_BD = BulyanAttack(coordinate=1).corrupt({}, honest_HD, rows(1, 2), against(build(Aggregator, KRUM), 1))[1]
    assert sent_BD.tolist() == [[1.0, 2.0]]


def test_refuses_a_coordinate_that_is_not_there() -> None:
    BulyanAttack(coordinate=4).start(3, 5)
    with pytest.raises(InputError, match=r"attack\.coordinate must be less than 5, the columns of a row, but 5"):
        BulyanAttack(coordinate=5).start(0, 5)
