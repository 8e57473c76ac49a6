from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.sign_majority import SignMajority
from holdfast.catalogue import build

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows, rows
from .oracles_lengths import sign_majority


def test_by_hand() -> None:
    nan, inf = torch.nan, torch.inf
    x_MD = torch.tensor([[9.0, -1.0, 0.0, nan, 2.0], [-0.1, inf, 0.0, nan, -3.0], [-0.1, inf, 4.0, nan, inf]])
    assert SignMajority(step=0.25)(x_MD).tolist() == [-0.25, -0.25, 0.25, 0.0, 0.0]


@PROPERTY
@given(rows(1), st.floats(0.001, 9))
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor, step: float) -> None:
    assert_near(SignMajority(step=step)(x_MD), sign_majority(as_lists(x_MD), step))


@PROPERTY
@given(rows(3), st.permutations(range(9)), st.floats(1e-3, 1e3))
def test_neither_order_nor_length_of_the_rows_matters(x_MD: torch.Tensor, order: list[int], scale: float) -> None:
    shuffled_MD = scale * x_MD[[row for row in order if row < len(x_MD)]]
    assert torch.equal(SignMajority()(shuffled_MD), SignMajority()(x_MD))
    assert torch.equal(SignMajority()(-x_MD), -SignMajority()(x_MD))


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([torch.nan, torch.inf, -torch.inf, 3e38, -1e-30]))
def test_liars_do_not_matter_where_the_others_agree_by_more(seed: int, lie: float) -> None:
    honest_HD = normal_rows(seed, 7, 40).float()
    margin_D = honest_HD.sign().sum(0)
    result_D = SignMajority()(torch.cat([honest_HD, torch.full((2, 40), lie)]))
    assert torch.equal(result_D[margin_D.abs() > 2], margin_D.sign()[margin_D.abs() > 2])


def test_ignores_weights_and_takes_half_precision() -> None:
    x_MD = normal_rows(2, 5, 6).half()
    assert torch.equal(SignMajority()(x_MD, torch.tensor([99, 0, 0, 0, 1])), SignMajority()(x_MD.double()).half())


def test_of_mixtures() -> None:
    rule, x_MD = build(Aggregator, [{"name": "bucketing", "s": 3}, "sign_majority"]), normal_rows(3, 3, 5)
    assert torch.equal(rule(x_MD), x_MD.sum(0).sign())
