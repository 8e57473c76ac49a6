from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from holdfast.aggregators.clipped_gossip import ClippedGossip

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows
from .oracles_gossip import clipped, clipped_gossip, neighbourhoods


def test_by_hand() -> None:
    """At distances 3, 4 and 100, with τ = 2: a quarter of 2 to each side."""
    x_MD = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [100.0, 0.0]])
    assert_near(ClippedGossip(f=1, tau=2.0)(x_MD), [1.0, 0.5])
    weights_M = torch.tensor([2.0, 1.0, 4.0, 1.0])
    assert_near(ClippedGossip(f=1, tau=2.0)(x_MD, weights_M), [0.5, 1.0])


def test_the_radius_by_hand() -> None:
    """The nearest three give 1/4 (9 + 16), and one liar weighs 1/4 at most: τ = 5; with a heavier one τ² = 6.25."""
    x_MD = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [100.0, 0.0]])
    assert_near(ClippedGossip(f=1)(x_MD), [2.0, 1.0])
    tau = math.sqrt((9 + 4 * 16) / 4)
    assert_near(ClippedGossip(f=1)(x_MD, torch.tensor([2.0, 1.0, 4.0, 1.0])), [(3 + tau) / 8, 4 * 4 / 8])


@PROPERTY
@given(neighbourhoods(), st.sampled_from([0.5, 3.0, 100.0]))
def test_agrees_with_a_plain_loop(some: tuple[int, Tensor, list[int]], tau: float) -> None:
    f, x_MD, weights = some
    weights_M = torch.tensor(weights)
    assert_near(ClippedGossip(f=f)(x_MD, weights_M), clipped_gossip(as_lists(x_MD), weights, f))
    assert_near(ClippedGossip(f=f)(x_MD), clipped_gossip(as_lists(x_MD), [1] * len(x_MD), f))
    assert_near(ClippedGossip(f=f, tau=tau)(x_MD, weights_M), clipped(as_lists(x_MD), weights, tau))


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([-torch.inf, torch.nan, 1e30, 3e38, 7.0]), st.floats(0.1, 10))
def test_liars_move_it_by_no_more_than_their_weight_times_the_radius(seed: int, lie: float, tau: float) -> None:
    rule, weights_M, x_MD = ClippedGossip(f=2, tau=tau), torch.tensor([3, 1, 2, 1, 1, 4.0]), normal_rows(seed, 6, 3)
    silent_MD, lying_MD = x_MD.clone(), x_MD.clone()
    silent_MD[[2, 5]], lying_MD[[2, 5]] = x_MD[0], lie
    moved = rule(lying_MD, weights_M) - rule(silent_MD, weights_M)
    assert moved.norm() <= tau * (2 + 4) / 12 * (1 + 1e-9)


def test_no_neighbour_moves_nothing() -> None:
    assert ClippedGossip(f=0)(torch.tensor([[7.0]])).item() == 7.0


@pytest.mark.parametrize("tau", [None, 1.0])
def test_neighbours_of_no_weight_move_nothing(tau: float | None) -> None:
    x_MD = normal_rows(1, 3, 2)
    assert torch.equal(ClippedGossip(f=1, tau=tau)(x_MD, torch.tensor([1.0, 0.0, 0.0])), x_MD[0])
