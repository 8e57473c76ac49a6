from __future__ import annotations

import numpy as np
import torch

from holdfast.attacks.uniform import Uniform

from .contexts import context


def test_is_spread_evenly_over_the_unit_interval() -> None:
    sent_BD = Uniform().corrupt({}, torch.zeros(0, 20000), torch.ones(2, 20000), context(1, 2))[1]
    for row in sent_BD.double().numpy():
        counts, _ = np.histogram(row, bins=10, range=(0, 1))
        assert counts.sum() == 20000
        assert abs(counts - 2000).max() < 5 * np.sqrt(20000 * 0.1 * 0.9)
        assert row.max() < 1


def test_attackers_and_rounds_differ() -> None:
    first_BD = Uniform().corrupt({}, torch.zeros(0, 4), torch.zeros(2, 4), context(1, 2))[1]
    later_BD = Uniform().corrupt({}, torch.zeros(0, 4), torch.zeros(2, 4), context(1, 2, round=1))[1]
    assert len({tuple(row) for row in torch.cat([first_BD, later_BD]).tolist()}) == 4
