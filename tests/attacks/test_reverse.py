from __future__ import annotations

import numpy as np
import torch

from holdfast.attacks.reverse import Reverse

from .contexts import context, rows


def test_by_hand() -> None:
    own_BD = torch.tensor([[1.0, -2.0], [0.0, 4.0]])
    for attack, factor in [(Reverse(), 100), (Reverse(scale=3), 3)]:
        sent_BD = attack.corrupt({}, torch.zeros(0, 2), own_BD, context(3, 5))[1]
        assert sent_BD.tolist() == [[-factor, 2 * factor], [0.0, -4 * factor]]


def test_overturns_the_mean() -> None:
    honest_HD, own_BD = rows(20).abs(), rows(1, seed=4).abs()
    sent_BD = Reverse().corrupt({}, honest_HD[:0], own_BD, context(3))[1]
    np.testing.assert_allclose(sent_BD.double().numpy(), -100 * own_BD.double().numpy(), rtol=1e-6)
    assert (torch.cat([honest_HD, sent_BD]).mean(0) < 0).any()
