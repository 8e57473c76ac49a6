from __future__ import annotations

import numpy as np
import torch

from holdfast.attacks.spectral import Spectral

from .contexts import context, rows


def test_by_hand() -> None:
    """Along the first axis the rows lie 3 from their mean, along the second 1; it pushes away from the mean (5, 1)."""
    honest_HD = torch.tensor([[8.0, 2.0], [2.0, 0.0], [8.0, 0.0], [2.0, 2.0]])
    sent_BD = Spectral(scale=2).corrupt({}, honest_HD, torch.zeros(2, 2), context(0, 1))[1]
    torch.testing.assert_close(sent_BD, torch.tensor([[-1.0, 1.0]] * 2))


def test_agrees_with_numpy() -> None:
    honest_HD = rows(7)
    sent_BD = Spectral(scale=1.5).corrupt({}, honest_HD, torch.zeros(1, 5), context(0))[1]
    x = honest_HD.double().numpy()
    mean, covariance = x.mean(0), np.cov(x.T, bias=True)
    values, vectors = np.linalg.eigh(covariance)
    push = vectors[:, -1] * -np.sign(vectors[:, -1] @ mean)
    np.testing.assert_allclose(sent_BD[0], mean + 1.5 * np.sqrt(values[-1]) * push, rtol=1e-4)


def test_where_all_agree_it_sends_the_mean() -> None:
    sent_BD = Spectral().corrupt({}, torch.ones(3, 2), torch.zeros(1, 2), context(0))[1]
    assert sent_BD.tolist() == [[1.0, 1.0]]
