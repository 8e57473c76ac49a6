from __future__ import annotations

import numpy as np
import torch

from holdfast.attacks.pixel_scale import PixelScale

from .contexts import rows


def test_by_hand() -> None:
    inputs, targets = torch.tensor([[[1.0, -2.0]], [[0.0, 4.0]]]), torch.tensor([1, 0])
    scaled, same = PixelScale(scale=-2.5).poison(inputs, targets, classes=2)
    assert scaled.tolist() == [[[-2.5, 5.0]], [[0.0, -10.0]]]
    assert same is targets


def test_suits_a_regression_and_whole_numbers() -> None:
    x, y = rows(3), torch.tensor([0.5, 1.5, 2.5])
    np.testing.assert_allclose(PixelScale().poison(x, y, None)[0], 10 * x.double().numpy(), rtol=1e-6)
    whole, _ = PixelScale(scale=0.5).poison(torch.tensor([[4, 7, -3]]), y[:1], None)
    assert (whole.tolist(), whole.dtype) == ([[2, 3, -1]], torch.int64)
