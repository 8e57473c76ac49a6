from __future__ import annotations

import pytest
import torch

from holdfast.codecs.terngrad import Terngrad

from ..kernels.oracles import fraction
from .draws import draws, rows


def test_by_hand() -> None:
    """The greatest magnitude and 0 need no draw; 1 is added to a level: 2, 1, 0, 1 and 2 in digits of base four."""
    x_KD = torch.tensor([[3.0, 0.0, -3.0, 0.0, 3.0]])
    _, payload = Terngrad().encode({}, x_KD, draws(0))
    assert payload.tensors["levels"].tolist() == [[2 + 4 * 1 + 16 * 0 + 64 * 1, 2]]
    assert payload.tensors["scales"].tolist() == [[3.0]]
    assert torch.equal(Terngrad().decode(payload), x_KD)


def test_draws_a_level_with_the_papers_probability() -> None:
    """Up where u < x / s, which has probability x / s; down where u ≥ 1 - |x| / s, which has probability |x| / s."""
    x_KD = rows(2, 30)
    found_KD = Terngrad().decode(Terngrad().encode({}, x_KD, draws(5, 9))[1])
    for row, address in enumerate(draws(5, 9).addresses_K.tolist()):
        scale = x_KD[row].abs().max().item()
        for column, value in enumerate(x_KD[row].tolist()):
            u = fraction(address, column)
            level = (u < value / scale) if value >= 0 else -(u >= 1 - abs(value) / scale)
            assert found_KD[row, column].item() == pytest.approx(level * scale)


@pytest.mark.parametrize(("columns", "bytes_each"), [(1, 1 + 4), (4, 1 + 4), (5, 2 + 4), (16, 4 + 4), (17, 5 + 8)])
def test_four_levels_a_byte(columns: int, bytes_each: int) -> None:
    _, payload = Terngrad(block=16).encode({}, rows(2, columns), draws(0, 1))
    assert payload.bytes_K.tolist() == [bytes_each] * 2
