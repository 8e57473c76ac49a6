from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.bucketing import Bucketing
from holdfast.catalogue import build

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows, rows
from .oracles_lengths import bucketing


def means(x_MD: torch.Tensor, s: int, seed: int = 0, round: int = 0) -> torch.Tensor:
    return Bucketing(s=s, seed=seed).transform({"round": torch.tensor(round)}, x_MD)[1]


def groups(rows: int, s: int, seed: int = 0, round: int = 0) -> list[list[int]]:
    """Who is in which group, seen from outside: the means of unit vectors."""
    return [mean_D.nonzero().flatten().tolist() for mean_D in means(torch.eye(rows), s, seed, round)]


@PROPERTY
@given(st.integers(1, 12), st.integers(1, 14), st.integers(0, 99))
def test_every_row_is_in_one_group_and_only_the_last_is_short(n: int, s: int, seed: int) -> None:
    found = groups(n, s, seed)
    assert sorted(row for group in found for row in group) == list(range(n))
    assert [len(group) for group in found] == [s] * (n // s) + [n % s] * (n % s > 0)
    assert len(found) == Bucketing(s=s).leaves(n)


def test_by_hand() -> None:
    x_MD = torch.tensor([[1.0], [2.0], [6.0]])
    assert means(x_MD, 3).item() == means(x_MD, 9).item() == 3.0
    assert sorted(means(x_MD, 1).flatten().tolist()) == [1.0, 2.0, 6.0]


@PROPERTY
@given(rows(1), st.integers(1, 5), st.integers(0, 9))
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor, s: int, round: int) -> None:
    found_QD = means(x_MD, s, seed=3, round=round)
    found_QD = found_QD.where(found_QD.isfinite().all(-1, keepdim=True), torch.nan)
    assert_near(found_QD, bucketing(as_lists(x_MD), groups(len(x_MD), s, 3, round)))


def test_the_groups_change_with_the_round_and_the_seed_alone() -> None:
    assert groups(12, 3, seed=1, round=4) == groups(12, 3, seed=1, round=4)
    assert groups(12, 3, seed=1, round=4) != groups(12, 3, seed=1, round=5)
    assert groups(12, 3, seed=1, round=4) != groups(12, 3, seed=2, round=4)


def test_drops_weights() -> None:
    assert Bucketing().transform({}, torch.zeros(3, 1), torch.ones(3))[2] is None


@PROPERTY
@given(st.integers(0, 10**6), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows(seed: int, scale: float, shift: float) -> None:
    x_MD = normal_rows(seed, 7, 3)
    torch.testing.assert_close(means(scale * x_MD + shift, 3, seed), scale * means(x_MD, 3, seed) + shift)


def test_the_next_rule_gets_a_row_for_each_group() -> None:
    rule = build(Aggregator, [{"name": "bucketing", "s": 2}, {"name": "krum", "f": 1}])
    assert (rule.least, rule.tolerates) == (9, 1)
    x_MD = normal_rows(4, 9, 3).float()
    x_MD[6] = 1e30
    assert rule(x_MD).abs().max() < 5


def test_in_a_chain_it_hears_of_the_round() -> None:
    rule, x_MD = build(Aggregator, [{"name": "bucketing", "s": 4}, {"name": "norm_bound", "c": 0.1}]), torch.eye(8)
    seen = {tuple(rule.aggregate({"round": torch.tensor(r)}, x_MD)[1].tolist()) for r in range(3)}
    again = tuple(rule.aggregate({"round": torch.tensor(1)}, x_MD)[1].tolist())
    assert again in seen
