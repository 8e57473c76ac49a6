from __future__ import annotations

import numpy as np
import torch

from holdfast.attacks.ipm import Ipm

from .contexts import context, rows


def test_by_hand() -> None:
    honest_HD = torch.tensor([[1.0, 4.0], [3.0, -2.0]])
    sent_BD = Ipm(epsilon=0.5).corrupt({}, honest_HD, torch.zeros(2, 2), context(0, 1))[1]
    assert sent_BD.tolist() == [[-1.0, -0.5]] * 2


def test_agrees_with_numpy_and_turns_the_mean_round() -> None:
    honest_HD = rows(6)
    sent_BD = Ipm(epsilon=10).corrupt({}, honest_HD, torch.zeros(3, 5), context(0, 1, 2))[1]
    mean = honest_HD.double().numpy().mean(0)
    np.testing.assert_allclose(sent_BD.double(), np.tile(-10 * mean, (3, 1)), rtol=1e-5)
    assert torch.cat([honest_HD, sent_BD]).mean(0).double().numpy() @ mean < 0
