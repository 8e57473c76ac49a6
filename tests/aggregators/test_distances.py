from __future__ import annotations

import pytest
import torch
from hypothesis import given

from holdfast.aggregators.distances import squared_distances

from ..contract import PROPERTY
from .oracles import as_lists, normal_rows, rows, squared_distance


def oracle(x_MD: torch.Tensor) -> torch.Tensor:
    x = as_lists(x_MD)
    return torch.tensor([[squared_distance(a, b) for b in x] for a in x])


@PROPERTY
@given(rows(1))
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor) -> None:
    assert torch.equal(squared_distances(x_MD), oracle(x_MD))


def test_close_rows_far_from_zero_keep_their_distances() -> None:
    """Models near consensus: uncentred, the rounding of 1e6 would bury distances of 1e-2."""
    x_MD = (100 + 0.01 * normal_rows(1, 6, 100)).float()
    torch.testing.assert_close(squared_distances(x_MD), oracle(x_MD), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("lie", [1e15, 1e25, 3e38, -100.0])
@pytest.mark.parametrize("liar", [0, 3])
def test_a_liar_cannot_blur_the_honest_distances(lie: float, liar: int) -> None:
    x_MD = (100 + 0.01 * normal_rows(2, 7, 50)).float()
    x_MD[liar] = lie
    honest = [row for row in range(7) if row != liar]
    found_HH = squared_distances(x_MD)[honest][:, honest]
    torch.testing.assert_close(found_HH, oracle(x_MD[honest]), rtol=1e-4, atol=1e-9)
