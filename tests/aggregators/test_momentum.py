from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.mean import Mean
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.momentum import Momentum
from holdfast.algorithms.federated.robust_sgd import RobustSGD
from holdfast.catalogue import build

from ..contract import PROPERTY
from ..tiny import line, play, simulation
from .oracles import assert_near, normal_rows


def test_by_hand() -> None:
    rule, sent = Momentum(beta=0.75), []
    state = rule.start(rows=2, columns=1)
    for row_KD in ([[4.0], [8.0]], [[0.0], [16.0]]):
        state, sent_KD = rule.before_sending(state, torch.tensor(row_KD))
        sent.append(sent_KD.flatten().tolist())
    assert sent == [[1.0, 2.0], [0.75, 5.5]]


@PROPERTY
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9), st.sampled_from([0.0, 0.5, 0.9, 0.99]))
def test_is_the_sum_of_all_rows_so_far_with_fading_weights(row: list[int], beta: float) -> None:
    rule = Momentum(beta=beta)
    state = rule.start(1, 1)
    for value in row:
        state, sent_KD = rule.before_sending(state, torch.tensor([[float(value)]]))
    assert_near(sent_KD, [[sum((1 - beta) * beta**age * value for age, value in enumerate(reversed(row)))]])


def test_one_broken_row_does_not_break_later_ones() -> None:
    rule = Momentum(beta=0.5)
    state, _ = rule.before_sending(rule.start(1, 2), torch.tensor([[4.0, 4.0]]))
    state, sent_KD = rule.before_sending(state, torch.tensor([[torch.nan, 6.0]]))
    assert sent_KD[0, 0].isnan()
    assert sent_KD[0, 1] == 4.0
    assert rule.before_sending(state, torch.tensor([[4.0, 4.0]]))[1].tolist() == [[3.0, 4.0]]


def test_leaves_the_rows_that_arrive_as_they_are() -> None:
    rows = Mixture(normal_rows(1, 4, 3), torch.tensor([1, 2, 3, 4]))
    assert Momentum().transform_rows({}, rows)[1] is rows
    assert Momentum().transform({}, rows.x_MD, rows.weights_Q)[1:] == (rows.x_MD, rows.weights_Q)
    assert torch.equal(Momentum()(rows.x_MD, rows.weights_Q), Mean()(rows.x_MD, rows.weights_Q))


def test_in_a_chain_each_stage_has_its_own() -> None:
    chain = build(Aggregator, ["momentum", {"name": "momentum", "beta": 0.5}, "mean"])
    state, sent_KD = chain.before_sending(chain.start(1, 1), torch.tensor([[8.0]]))
    assert set(state) == {"0.m", "1.m"}
    assert_near(sent_KD, [[0.4]])


def test_every_node_sends_its_momentum() -> None:
    """The median of the momenta of three nodes, whose gradients are w - 2, w - 4 and w - 12, in a plain loop."""
    targets, m, w, expected = [2.0, 4.0, 12.0], [0.0] * 3, 0.0, []
    for _ in range(4):
        m = [0.75 * old + 0.25 * (w - target) for old, target in zip(m, targets, strict=True)]
        w -= 0.5 * sorted(m)[1]
        expected.append(w)
    sgd = RobustSGD(batch_size=None, optimizer={"name": "sgd", "lr": 0.5})
    sim = simulation(algorithm=sgd, aggregator=[{"name": "momentum", "beta": 0.75}, "median"], **line(*targets))
    assert play(sim, 4).flatten().tolist() == pytest.approx(expected, rel=1e-5)
