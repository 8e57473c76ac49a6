from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.clipping import Clipping
from holdfast.aggregators.norm_bound import NormBound
from holdfast.catalogue import build

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, krum_order, normal_rows, rows
from .oracles_lengths import clipped, with_liars


def short(x_MD: torch.Tensor, c: float) -> torch.Tensor:
    return Clipping(c=c).transform({}, x_MD)[1]


def test_by_hand() -> None:
    x_MD = torch.tensor([[3.0, 4.0], [30.0, -40.0], [0.0, 0.0], [torch.nan, 1.0], [5.0, 0.0]])
    assert_near(short(x_MD, 5.0), [[3.0, 4.0], [3.0, -4.0], [0.0, 0.0], [0.0, 0.0], [5.0, 0.0]])


@PROPERTY
@given(rows(1), st.floats(0.01, 30))
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor, c: float) -> None:
    assert_near(short(x_MD, c), [clipped(row, c) for row in as_lists(x_MD)])


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(7)), st.floats(0.1, 9))
def test_permutes_and_scales_with_the_rows(seed: int, order: list[int], scale: float) -> None:
    x_MD = normal_rows(seed, 7, 3)
    torch.testing.assert_close(short((scale * x_MD)[order], scale * 1.5), (scale * short(x_MD, 1.5))[order])


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_no_row_is_longer_than_c_however_long_it_was(dtype: torch.dtype) -> None:
    greatest = min(torch.finfo(dtype).max, 1e150)  # in float64 the square must not overflow
    x_MD = torch.tensor([[greatest, -greatest], [torch.inf, 0.0], [1.0, torch.nan], [1e-3, 0.0]], dtype=dtype)
    torch.testing.assert_close(short(x_MD, 0.01)[0], torch.tensor([1.0, -1.0], dtype=dtype) * 0.5**0.5 / 100)
    assert (short(x_MD, 0.01)[1:3] == 0).all()
    assert torch.equal(short(x_MD, 0.01)[3], x_MD[3])


def test_keeps_weights() -> None:
    weights_M, x_MD = torch.tensor([1, 3]), torch.tensor([[2.0], [-30.0]])
    assert Clipping(c=6.0).transform({}, x_MD, weights_M)[2] is weights_M
    assert Clipping(c=6.0)(x_MD, weights_M).item() == NormBound(c=6.0)(x_MD, weights_M).item() == -4.0


@pytest.mark.parametrize("lie", [10.0, 1e4, 1e8, 1e18, 1e30])
def test_the_next_rule_sees_the_true_distances_of_the_short_rows(lie: float) -> None:
    """Told from the distances of the long ones they would be lost in rounding, and the lie could win Krum."""
    x_MD = with_liars(5, 2, lie)[1].float()
    x_MD = torch.cat([x_MD, normal_rows(7, 1, 4).float()])
    rule = build(Aggregator, [{"name": "clipping", "c": 3.0}, {"name": "krum", "f": 2}])
    x = [clipped(row, 3.0) for row in as_lists(x_MD)]
    assert_near(rule(x_MD), x[krum_order(x, 2)[0]])


def test_after_another_stage() -> None:
    x_MD = normal_rows(3, 7, 3)
    nnm, clip = {"name": "nnm", "f": 2}, {"name": "clipping", "c": 0.3}
    mixed_MD = build(Aggregator, [nnm, "nan_mean"]).stages[0].transform({}, x_MD)[1]  # type: ignore[attr-defined]
    torch.testing.assert_close(build(Aggregator, [nnm, clip, "median"])(x_MD), short(mixed_MD, 0.3).median(0).values)
