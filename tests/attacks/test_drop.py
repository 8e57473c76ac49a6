from __future__ import annotations

import pytest
import torch

from holdfast.attacks.drop import Drop

from .contexts import context, rows


@pytest.mark.parametrize("probability", [0.3, 0.9])
def test_loses_the_stated_share_and_keeps_the_rest(probability: float) -> None:
    own_BD = rows(2, columns=20000)
    sent_BD = Drop(probability=probability).corrupt({}, own_BD[:0], own_BD, context(1, 2))[1]
    lost_BD = sent_BD.isnan()
    spread = (probability * (1 - probability) / 20000) ** 0.5
    assert (lost_BD.double().mean(1) - probability).abs().max() < 5 * spread
    assert torch.equal(sent_BD[~lost_BD], own_BD[~lost_BD])
    assert not torch.equal(lost_BD[0], lost_BD[1]), "both attackers lose the same"


def test_loses_everything_or_is_lost_anew_each_round() -> None:
    own_BD = rows(1, columns=50)
    assert Drop(probability=1).corrupt({}, own_BD[:0], own_BD, context(1))[1].isnan().all()
    first, later = (Drop().corrupt({}, own_BD[:0], own_BD, context(1, round=t))[1].isnan() for t in (1, 2))
    assert not torch.equal(first, later)
