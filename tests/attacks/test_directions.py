from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.attacks.directions import top_direction

from ..contract import PROPERTY
from .contexts import rows


@PROPERTY
@given(st.integers(2, 12), st.integers(2, 9), st.integers(0, 1000))
def test_agrees_with_the_singular_value_decomposition(honest: int, columns: int, seed: int) -> None:
    x = rows(honest, columns, seed).double()
    direction_D, spread = top_direction(x)
    away = x.numpy() - x.numpy().mean(0)
    _, values, vectors = np.linalg.svd(away)
    np.testing.assert_allclose(spread, values[0] / np.sqrt(honest), rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(((away @ direction_D.numpy()) ** 2).sum()), values[0], rtol=1e-6)
    if values[0] > 1.01 * values[min(1, len(values) - 1)]:
        np.testing.assert_allclose(abs(direction_D.numpy() @ vectors[0]), 1, rtol=1e-6)
    assert direction_D.numpy() @ x.numpy().mean(0) <= 1e-9


def test_where_there_is_no_direction() -> None:
    for x in (rows(1), rows(1).repeat(4, 1).round(), torch.tensor([[1e30, 0.0], [-1e30, 0.0]])):
        direction_D, spread = top_direction(x)
        assert direction_D.isfinite().all()
        assert spread == 0
