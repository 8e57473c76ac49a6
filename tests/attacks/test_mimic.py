from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.attacks.mimic import Mimic

from .contexts import context, rows


@pytest.mark.parametrize(("victim", "row"), [(0, 0), (2, 2), (9, 2)])
def test_copies_the_victim(victim: int, row: int) -> None:
    honest_HD = rows(3)
    sent_BD = Mimic(victim=victim).corrupt({}, honest_HD, torch.zeros(2, 5), context(0, 1))[1]
    assert torch.equal(sent_BD, honest_HD[row].expand(2, -1))


def test_the_worst_victim_by_hand() -> None:
    """The rows differ along the first axis alone; the third reaches farthest along it, but is not the longest."""
    honest_HD = torch.tensor([[1.0, 50.0], [0.0, 50.0], [-6.0, 50.0], [2.0, 50.0]])
    sent_BD = Mimic().corrupt({}, honest_HD, torch.zeros(1, 2), context(0))[1]
    assert sent_BD.tolist() == [[-6.0, 50.0]]


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_numpy(seed: int) -> None:
    honest_HD = rows(8, columns=6, seed=seed)
    sent_BD = Mimic().corrupt({}, honest_HD, torch.zeros(1, 6), context(0))[1]
    x = honest_HD.double().numpy()
    top = np.linalg.svd(x - x.mean(0))[2][0]
    assert torch.equal(sent_BD[0], honest_HD[int(np.abs(x @ top).argmax())])
