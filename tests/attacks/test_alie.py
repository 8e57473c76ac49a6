from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
import torch

from holdfast.attacks.alie import Alie

from .contexts import context, rows


def test_by_hand() -> None:
    """Of 1, 3 the mean is 2 and the standard deviation 1; of 4, 4 they are 4 and 0."""
    honest_HD = torch.tensor([[1.0, 4.0], [3.0, 4.0]])
    for z, expected in [(1.5, [3.5, 4.0]), (-1.0, [1.0, 4.0])]:
        sent_BD = Alie(z=z).corrupt({}, honest_HD, torch.zeros(2, 2), context(0, 1))[1]
        assert sent_BD.tolist() == [expected, expected]


def test_agrees_with_numpy() -> None:
    honest_HD = rows(7)
    sent_BD = Alie().corrupt({}, honest_HD, torch.zeros(1, 5), context(0))[1]
    x = honest_HD.double().numpy()
    np.testing.assert_allclose(sent_BD[0], x.mean(0) + 1.5 * x.std(0), rtol=1e-5)


@pytest.mark.parametrize(
    ("honest", "byzantine", "share"),
    [
        (26, 24, 24 / 26),  # the paper's n = 50, m = 24: two supporters are needed
        (16, 4, 9 / 16),  # seven supporters
        (19, 1, 0.5),  # ten of nineteen: nothing to gain
        (3, 5, 2 / 3),  # a majority already: still one honest row lies beyond
        (1, 1, 0.5),
    ],
)
def test_the_greatest_shift(honest: int, byzantine: int, share: float) -> None:
    expected = NormalDist().inv_cdf(share)
    assert Alie.z_max(honest, byzantine) == pytest.approx(expected)
    honest_HD = rows(honest)
    sent_BD = Alie(z=None).corrupt({}, honest_HD, torch.zeros(byzantine, 5), context(*range(byzantine)))[1]
    shifted_D = honest_HD.mean(0) + expected * honest_HD.std(0, correction=0)
    torch.testing.assert_close(sent_BD, shifted_D.expand(byzantine, 5))


def test_sends_the_truth_where_no_honest_row_takes_part() -> None:
    own_BD = rows(2)
    assert torch.equal(Alie().corrupt({}, torch.zeros(0, 5), own_BD, context(0, 1))[1], own_BD)
