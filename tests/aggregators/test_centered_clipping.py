from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.centered_clipping import CenteredClipping
from holdfast.aggregators.mean import Mean
from holdfast.algorithms.federated.robust_sgd import RobustSGD
from holdfast.catalogue import build

from ..contract import PROPERTY
from ..tiny import line, play, simulation
from .oracles import as_lists, assert_near, normal_rows, rows
from .oracles_lengths import centered_clipping, with_liars


def test_by_hand() -> None:
    """From 0: (3, 3, -3) / 3 = 1, then 1 + (2, 3, -3) / 3; from the pivot 3: 3 + (0, 3, -3) / 3."""
    x_MD = torch.tensor([[3.0], [9.0], [-99.0]])
    assert_near(CenteredClipping(tau=3.0)(x_MD), [1.0])
    assert_near(CenteredClipping(tau=3.0, iterations=2)(x_MD), [5 / 3])
    assert_near(CenteredClipping(tau=3.0)(x_MD, pivot_D=torch.tensor([3.0])), [3.0])


@PROPERTY
@given(rows(1), st.floats(0.1, 20), st.integers(1, 5), st.data())
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor, tau: float, iterations: int, data: st.DataObject) -> None:
    v = data.draw(st.lists(st.integers(-9, 9), min_size=x_MD.shape[1], max_size=x_MD.shape[1]))
    found_D = CenteredClipping(tau=tau, iterations=iterations)(x_MD, pivot_D=torch.tensor(v).float())
    assert_near(found_D, centered_clipping(as_lists(x_MD), v, tau, iterations))


@pytest.mark.parametrize("lie", [1e3, 1e6, 1e9, 1e18, 1e30])
@pytest.mark.parametrize("far", [0.0, 1e3])
def test_a_lie_far_away_pulls_in_its_own_direction_and_no_other(lie: float, far: float) -> None:
    """Told from squared distances, the direction of a row this far away would be lost in rounding."""
    x_MD = with_liars(3, 2, lie)[1]
    x_MD[2:] += far
    v_D = torch.full((4,), far, dtype=torch.float64)
    found_D = CenteredClipping(tau=1.0, iterations=4)(x_MD, pivot_D=v_D)
    expected = centered_clipping(as_lists(x_MD), v_D.tolist(), 1.0, 4)
    assert_near(found_D - v_D, [value - far for value in expected])


def test_carries_its_centre_over() -> None:
    rule, x_MD, state, v = CenteredClipping(tau=2.0, iterations=2), normal_rows(1, 5, 3) + 9, {}, [0.0] * 3
    for round in range(4):
        state, found_D = rule.aggregate(state, x_MD + round, pivot_D=None if round == 0 else torch.zeros(3))
        v = centered_clipping(as_lists(x_MD + round), v, 2.0, 2)
        assert_near(found_D, v)
        assert torch.equal(state["centre"], found_D)


def test_in_a_run_the_coordinator_remembers_it() -> None:
    """Gradients -2, -4, -12 move v to -8/3 and the model to 4/3; -2/3, -8/3, -32/3 then move v by -1/3."""
    sgd = RobustSGD(batch_size=None, optimizer={"name": "sgd", "lr": 0.5})
    rule = {"name": "centered_clipping", "tau": 3.0}
    sim = simulation(algorithm=sgd, aggregator=rule, **line(2.0, 4.0, 12.0))
    assert play(sim, 2).flatten().tolist() == pytest.approx([4 / 3, 17 / 6], rel=1e-5)


def test_after_another_stage() -> None:
    rule = build(Aggregator, [{"name": "bucketing", "s": 5}, {"name": "centered_clipping", "iterations": 2}])
    x_MD = normal_rows(2, 5, 3)
    state, found_D = rule.aggregate({}, x_MD)
    torch.testing.assert_close(found_D, x_MD.mean(0))
    assert torch.equal(state["1.centre"], found_D)


def test_within_tau_it_is_the_mean() -> None:
    x_MD = normal_rows(2, 6, 3)
    torch.testing.assert_close(CenteredClipping(tau=100.0, iterations=3)(x_MD), Mean()(x_MD))


def test_rows_that_are_not_finite_move_nothing() -> None:
    x_MD, v_D = torch.tensor([[torch.nan, 1.0], [5.0, torch.inf], [4.0, 8.0], [0.0, 0.0]]), torch.tensor([4.0, 4.0])
    for iterations in (1, 2):
        rule = CenteredClipping(iterations=iterations)
        assert_near(rule(x_MD, pivot_D=v_D), centered_clipping(as_lists(x_MD), [4.0, 4.0], 10.0, iterations))
        assert torch.equal(rule(x_MD[:2], pivot_D=v_D), v_D)


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(6)), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows_in_any_order(seed: int, order: list[int], scale: float, shift: float) -> None:
    x_MD, v_D = normal_rows(seed, 6, 3), normal_rows(seed + 1, 3)
    expected_D = scale * CenteredClipping(tau=1.0, iterations=3)(x_MD, pivot_D=v_D) + shift
    rule = CenteredClipping(tau=scale, iterations=3)
    torch.testing.assert_close(rule((scale * x_MD + shift)[order], pivot_D=scale * v_D + shift), expected_D)


@PROPERTY
@given(st.integers(0, 10**6), st.integers(0, 4), st.sampled_from([0.5, -3.0, 1e6, -1e18, 1e30, torch.inf, torch.nan]))
def test_stays_near_the_honest_mean(seed: int, f: int, lie: float) -> None:
    """One step from v, which all honest rows are within τ of: at most f/n · (‖mean - v‖ + τ) from their mean."""
    honest_HD, x_MD = with_liars(seed, f, lie)
    tau, mean_D = honest_HD.norm(dim=1).max().item(), honest_HD.mean(0)
    bound = f / len(x_MD) * (mean_D.norm() + tau)
    assert (CenteredClipping(tau=tau)(x_MD) - mean_D).norm() <= bound + 1e-9


def test_ignores_weights() -> None:
    x_MD = normal_rows(4, 4, 2)
    assert torch.equal(CenteredClipping()(x_MD, torch.tensor([9, 0, 0, 1])), CenteredClipping()(x_MD))
