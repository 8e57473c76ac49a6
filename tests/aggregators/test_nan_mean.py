from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.mean import Mean
from holdfast.aggregators.nan_mean import NanMean

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, nan_mean, normal_rows, rows


def test_by_hand() -> None:
    nan, inf = torch.nan, torch.inf
    x_MD = torch.tensor([[1.0, nan, inf], [2.0, 4.0, nan], [6.0, -inf, nan]])
    assert_near(NanMean()(x_MD), [3.0, 4.0, 0.0])
    assert_near(NanMean()(x_MD, torch.tensor([2, 1, 1])), [2.5, 4.0, 0.0])


@PROPERTY
@given(rows(1), st.data())
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor, data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(0, 3), min_size=len(x_MD), max_size=len(x_MD)))
    assert_near(NanMean().aggregate({}, x_MD, torch.tensor(weights))[1], nan_mean(as_lists(x_MD), weights))


def test_is_the_mean_where_nothing_is_missing() -> None:
    x_MD = normal_rows(1, 6, 3)
    torch.testing.assert_close(NanMean()(x_MD), Mean()(x_MD))


def test_finite_values_without_weight_are_an_update_of_nothing() -> None:
    assert_near(NanMean()(torch.tensor([[5.0], [torch.nan]]), torch.tensor([0, 1])), [0.0])
    assert_near(NanMean().aggregate({}, torch.tensor([[5.0], [7.0]]), torch.tensor([0, 0]))[1], [0.0])
