from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.geometry import Geometry
from holdfast.aggregators.spectrum import centred, principal

from ..contract import PROPERTY
from .oracles import assert_near, normal_rows
from .oracles_spectral import top


@PROPERTY
@given(st.integers(0, 10**6), st.integers(2, 7), st.integers(1, 5))
def test_agrees_with_the_covariance_itself(seed: int, count: int, columns: int) -> None:
    x_MD, weights_M = normal_rows(seed, count, columns), normal_rows(seed + 1, count).abs()
    shares_M = weights_M / weights_M.sum()
    variance, out_M = principal(Geometry.of(x_MD).between_MM, shares_M)
    expected, out = top(x_MD.numpy(), weights_M.numpy())
    assert_near(variance, expected)
    assert_near(out_M, out / out.max())


def test_a_row_of_no_weight_may_be_anywhere() -> None:
    x_MD = normal_rows(1, 5, 3)
    shares_M = torch.tensor([0.25, 0.25, 0.0, 0.25, 0.25]).double()
    expected_MM = centred(Geometry.of(x_MD).between_MM, shares_M)
    for lie in (torch.nan, 1e200):
        x_MD[2] = lie
        assert torch.equal(centred(Geometry.of(x_MD).between_MM, shares_M), expected_MM)


def test_rows_too_far_for_their_squares_stand_out() -> None:
    x_MD = normal_rows(2, 5, 3)
    x_MD[1] = 1e200
    variance, out_M = principal(Geometry.of(x_MD).between_MM, torch.full((5,), 0.2).double())
    assert variance.isfinite()
    assert out_M.argmax() == 1
    assert out_M[[0, 2, 3, 4]].max() < 0.1


def test_nothing_stands_out_among_rows_that_are_alike() -> None:
    variance, out_M = principal(torch.zeros(3, 3).double(), torch.full((3,), 1 / 3).double())
    assert variance == 0
    assert not out_M.any()
