from __future__ import annotations

import torch

from holdfast.attacks.gaussian import Gaussian

from .contexts import context


def test_has_the_stated_mean_and_standard_deviation() -> None:
    sent_BD = Gaussian(std=3).corrupt({}, torch.zeros(0, 20000), torch.ones(2, 20000), context(1, 2))[1]
    assert sent_BD.mean(1).abs().max() < 5 * 3 / 20000**0.5
    assert (sent_BD.std(1) - 3).abs().max() < 5 * 3 / 40000**0.5


def test_attackers_and_rounds_differ() -> None:
    first_BD = Gaussian().corrupt({}, torch.zeros(0, 4), torch.zeros(2, 4), context(1, 2))[1]
    later_BD = Gaussian().corrupt({}, torch.zeros(0, 4), torch.zeros(2, 4), context(1, 2, round=1))[1]
    assert len({tuple(row) for row in torch.cat([first_BD, later_BD]).tolist()}) == 4
