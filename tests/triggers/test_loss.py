from __future__ import annotations

import numpy as np

from holdfast.triggers.loss import Loss

from ..tiny import line, notes, play, simulation
from .news import news, spoken


def test_by_hand() -> None:
    # Nothing is known in the first round. Then nine are left: ŝ = 0 is worth one message, after all nine; ŝ = ½ is
    # worth ⌈4½⌉ = 5, the next after ⌈9/5⌉ = 2 rounds, in round 3, when seven are left, worth 4: after 2 again.
    told = [news(10, [np.nan] * 3)] + [news(10, [1.0, 5.0, 3.0])] * 9
    assert spoken(Loss(), 3, told) == [[1, 10], list(range(1, 11)), [1, 3, 5, 7, 9, 10]]


def test_the_interval_thins_all_of_them_out() -> None:
    told = [news(9, [np.nan] * 2)] + [news(9, [1.0, 5.0])] * 8
    assert spoken(Loss(interval=4), 2, told) == [[1, 9], [1, 5, 9]]


def test_a_loss_that_rises_is_heard_sooner() -> None:
    first = [news(20, [np.nan] * 2)] + [news(20, [1.0, 5.0])] * 5
    assert spoken(Loss(), 2, first + [news(20, [6.0, 5.0])] * 3)[0] == [1, 7, 8, 9]


def test_alike_losses_speak_always_and_so_does_one_that_is_no_number() -> None:
    assert spoken(Loss(), 3, [news(3, [2.0, 2.0, np.inf])] * 3) == [[1, 2, 3]] * 3


def test_everybody_speaks_in_the_last_round() -> None:
    losses = np.random.default_rng(1).random((12, 6))
    assert all(found[-1] == 12 for found in spoken(Loss(interval=3), 6, [news(12, row) for row in losses]))


def test_a_turn_of_a_node_that_is_not_there_is_not_over() -> None:
    # Node 2 of the first test is away in round 3, so it is told again in round 4, and then six rounds are left.
    told = [news(10, [np.nan] * 3)] + [news(10, [1.0, 5.0, 3.0], away=[2] * (round == 3)) for round in range(2, 11)]
    assert spoken(Loss(), 3, told)[2] == [1, 3, 4, 6, 8, 10]


def test_who_was_not_asked_or_is_down_was_not_told() -> None:
    crash = [{"name": "crash", "node": node, "at_round": 1} for node in (2, 5)]
    sim = simulation(algorithm="fedavg", trigger="loss", participation=0.5, faults=crash, **line(*range(8)))
    play(sim, 1)
    running = notes(sim).by_node(1, "train_loss")
    assert 0 < len(running) < 4
    assert sim.server.plan["last"].tolist() == [int(node in running) for node in range(8)]


def test_in_a_simulation() -> None:
    sim = simulation(algorithm="fedavg", trigger="loss", rounds=4, **line(0.0, 9.0, 9.0))
    play(sim, 4)
    spoke = [sorted(notes(sim).by_node(round, "bytes_up")) for round in range(1, 5)]
    assert spoke == [[0, 1, 2], [1, 2], [1, 2], [0, 1, 2]]
