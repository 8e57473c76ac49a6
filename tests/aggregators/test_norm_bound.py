from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.mean import Mean
from holdfast.aggregators.norm_bound import NormBound
from holdfast.catalogue import build

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows, rows
from .oracles_lengths import clipped, mean


def test_by_hand() -> None:
    x_MD = torch.tensor([[3.0, 4.0], [30.0, -40.0], [0.0, 3.0]])
    assert_near(NormBound(c=5.0)(x_MD), [2.0, 1.0])
    assert_near(NormBound(c=5.0)(x_MD, torch.tensor([1, 3, 0])), [3.0, -2.0])
    x_MD[2] = torch.nan
    assert_near(NormBound(c=5.0)(x_MD), [2.0, 0.0])


@PROPERTY
@given(rows(1), st.floats(0.01, 30), st.data())
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor, c: float, data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(1, 4), min_size=len(x_MD), max_size=len(x_MD)))
    x = [clipped(row, c) for row in as_lists(x_MD)]
    assert_near(NormBound(c=c)(x_MD, torch.tensor(weights)), mean(x, [float(w) for w in weights]))


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(6)), st.floats(0.1, 9))
def test_order_does_not_matter_and_it_scales_with_the_rows(seed: int, order: list[int], scale: float) -> None:
    x_MD = normal_rows(seed, 6, 3)
    torch.testing.assert_close(NormBound(c=scale)((scale * x_MD)[order]), scale * NormBound(c=1.0)(x_MD))


def test_is_the_mean_of_short_rows() -> None:
    x_MD = normal_rows(1, 6, 3)
    torch.testing.assert_close(NormBound(c=100.0)(x_MD), Mean()(x_MD))


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([torch.nan, -torch.inf, 3e38, -50.0]))
def test_one_row_moves_it_by_no_more_than_twice_its_share(seed: int, lie: float) -> None:
    x_MD = normal_rows(seed, 5, 3).float()
    honest_D = NormBound(c=2.0)(x_MD)
    x_MD[3] = lie
    assert (NormBound(c=2.0)(x_MD) - honest_D).norm() <= 2 * 2.0 / 5 + 1e-6


def test_of_mixtures() -> None:
    nnm = {"name": "nnm", "f": 1}
    short = build(Aggregator, [nnm, {"name": "clipping", "c": 0.4}, "mean"])
    x_MD = normal_rows(2, 5, 3)
    torch.testing.assert_close(build(Aggregator, [nnm, {"name": "norm_bound", "c": 0.4}])(x_MD), short(x_MD))
