from __future__ import annotations

import numpy as np
import pytest

from holdfast.attacks.spread import Direction, perturbation

from .contexts import rows


@pytest.mark.parametrize("direction", ["sign", "unit", "std"])
def test_agrees_with_numpy(direction: Direction) -> None:
    x = rows(6).double()
    mean, std = x.numpy().mean(0), x.numpy().std(0)
    expected = {"sign": -np.sign(mean), "unit": -mean / np.linalg.norm(mean), "std": -std}[direction]
    np.testing.assert_allclose(perturbation(x, direction), expected, rtol=1e-12)


@pytest.mark.parametrize("direction", ["sign", "unit", "std"])
def test_of_zeros_it_is_zero(direction: Direction) -> None:
    assert perturbation(0 * rows(3), direction).tolist() == [0] * 5
