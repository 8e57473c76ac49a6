from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.nnm import Nnm
from holdfast.aggregators.trimmed_mean import TrimmedMean
from holdfast.catalogue import build

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, nnm, normal_rows, rows


def mixed(x_MD: torch.Tensor, f: int) -> torch.Tensor:
    return Nnm(f=f).transform({}, x_MD)[1]


def test_by_hand() -> None:
    x_MD = torch.tensor([[0.0], [1.0], [3.0], [100.0]])
    assert_near(mixed(x_MD, 1), [[4 / 3], [4 / 3], [4 / 3], [104 / 3]])
    assert_near(mixed(x_MD[:3], 1), [[0.5], [0.5], [2.0]])


@PROPERTY
@given(st.integers(0, 3), st.data())
def test_agrees_with_a_plain_loop(f: int, data: st.DataObject) -> None:
    x_MD = data.draw(rows(2 * f + 1))
    assert_near(mixed(x_MD, f), nnm(as_lists(x_MD), f))


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(7)), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_scales_and_permutes_with_the_rows(seed: int, order: list[int], scale: float, shift: float) -> None:
    x_MD = normal_rows(seed, 7, 3)
    torch.testing.assert_close(mixed((scale * x_MD + shift)[order], 2), (scale * mixed(x_MD, 2) + shift)[order])


def test_a_row_counts_for_itself_among_many_twins() -> None:
    x_MD = torch.zeros(9, 2)
    assert torch.equal(mixed(x_MD, 4), x_MD)


def test_drops_weights() -> None:
    assert Nnm().transform({}, torch.zeros(3, 1), torch.ones(3))[2] is None


def test_with_a_rule_after_it() -> None:
    x_MD = normal_rows(1, 7, 3)
    x_MD[2], x_MD[5] = torch.nan, 1e30
    rule = build(Aggregator, [{"name": "nnm", "f": 2}, {"name": "trimmed_mean", "f": 2}])
    assert rule.least == 5
    assert rule.tolerates == 2
    assert torch.equal(rule(x_MD), TrimmedMean(f=2)(mixed(x_MD, 2)))
    assert rule(x_MD).abs().max() < 5
