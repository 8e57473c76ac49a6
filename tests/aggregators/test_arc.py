from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.arc import Arc
from holdfast.aggregators.base import Aggregator
from holdfast.catalogue import build
from holdfast.errors import InputError

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, krum_order, normal_rows, rows
from .oracles_lengths import arc, with_liars


def short(x_MD: torch.Tensor, f: int) -> torch.Tensor:
    return Arc(f=f).transform({}, x_MD)[1]


def test_by_hand() -> None:
    """Of n = 5 rows ⌊2 · 1/5 · 4⌋ = 1 is clipped if f = 1, and ⌊2 · 2/5 · 3⌋ = 2 if f = 2."""
    x_MD = torch.tensor([[6.0, 8.0], [0.0, 1.0], [-20.0, 0.0], [2.0, 0.0], [3.0, 4.0]])
    assert_near(short(x_MD, 1), [[6.0, 8.0], [0.0, 1.0], [-10.0, 0.0], [2.0, 0.0], [3.0, 4.0]])
    assert_near(short(x_MD, 2), [[3.0, 4.0], [0.0, 1.0], [-5.0, 0.0], [2.0, 0.0], [3.0, 4.0]])
    assert torch.equal(short(x_MD, 0), x_MD)


@PROPERTY
@given(st.integers(0, 4), st.data())
def test_agrees_with_a_plain_loop(f: int, data: st.DataObject) -> None:
    x_MD = data.draw(rows(2 * f + 1, 10))
    assert_near(short(x_MD, f), arc(as_lists(x_MD), f))


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(7)), st.floats(0.1, 9))
def test_permutes_and_scales_with_the_rows(seed: int, order: list[int], scale: float) -> None:
    x_MD = normal_rows(seed, 7, 3)
    torch.testing.assert_close(short((scale * x_MD)[order], 2), (scale * short(x_MD, 2))[order])


@PROPERTY
@given(st.integers(0, 10**6), st.integers(0, 3), st.sampled_from([0.1, 3.0, 1e9, 1e30, torch.inf, torch.nan]))
def test_no_row_is_longer_than_the_longest_honest_one(seed: int, f: int, lie: float) -> None:
    honest_HD, x_MD = with_liars(seed, f, lie)
    longest = honest_HD.norm(dim=1).max()
    assert (short(x_MD.float(), f).norm(dim=1) <= longest * (1 + 1e-6)).all()


def test_more_broken_rows_than_it_clips() -> None:
    x_MD = torch.tensor([[torch.nan, 0.0], [3.0, 4.0], [torch.inf, 1.0], [1.0, 0.0], [-torch.inf, 2.0]])
    assert_near(short(x_MD, 1), [[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]])


def test_keeps_weights_and_asks_for_an_honest_majority() -> None:
    weights_M = torch.ones(5)
    assert Arc(f=2).transform({}, normal_rows(1, 5, 2), weights_M)[2] is weights_M
    with pytest.raises(InputError, match="at least 5 rows"):
        Arc(f=2)(normal_rows(1, 4, 2))


@pytest.mark.parametrize("lie", [10.0, 1e8, 1e18, 1e30])
def test_the_next_rule_sees_the_true_distances_of_the_short_rows(lie: float) -> None:
    x_MD = torch.cat([with_liars(5, 2, lie)[1], normal_rows(7, 1, 4)]).float()
    x = arc(as_lists(x_MD), 2)
    assert_near(build(Aggregator, [{"name": "arc", "f": 2}, {"name": "krum", "f": 2}])(x_MD), x[krum_order(x, 2)[0]])
