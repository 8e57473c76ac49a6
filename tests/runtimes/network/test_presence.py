"""Suspicion is bounded by a node's own history, and those who keep failing are left out for growing times."""

from __future__ import annotations

import math

from holdfast.runtimes.network.presence import Progress, Suspension


def after(*times, patience=0.1):
    progress = Progress(patience)
    progress.start(0.0)
    for count, now in enumerate(times, 1):
        progress.beat(count, now)
    return progress


def test_the_bound_by_hand():
    progress = after(1.0, 3.0, 6.0, 10.0, 110.0)  # intervals 1, 2, 3, 4, 100: median 3, deviations 2, 1, 0, 1, 97
    assert progress.bound() == 3.0 + 10 * 1.0
    assert not progress.stalled(123.0)
    assert progress.stalled(123.1)


def test_patience_is_the_least():
    progress = after(0.1, 0.2, 0.3, 0.4, patience=5.0)
    assert progress.bound() == 5.0
    assert not progress.stalled(5.3)


def test_with_fewer_than_three_intervals_nobody_is_suspected():
    progress = after(0.1, 0.2)
    assert progress.bound() == math.inf
    assert not progress.stalled(1e9)


def test_a_node_of_which_nothing_is_known_has_its_own_bound():
    progress = Progress(0.1, unknown=7.0)
    progress.start(0.0)
    assert not progress.stalled(6.9)
    assert progress.stalled(7.1)


def test_a_beat_without_growth_is_no_progress():
    progress = after(1.0, 2.0, 3.0)
    progress.beat(3, 50.0)
    progress.beat(1, 50.0)
    assert progress.stalled(50.0)


def test_idle_time_before_the_first_work_counts_for_nothing():
    progress = Progress(0.1)
    assert not progress.stalled(1e9)
    progress.beat(5, 1e6)
    assert list(progress.intervals) == []
    progress.start(2e6)
    progress.beat(6, 2e6 + 1)
    assert list(progress.intervals) == [1.0]


def test_only_the_last_fifty_intervals_count():
    progress = after(*(float(n) for n in range(1, 201)))
    assert len(progress.intervals) == 50


def test_suspensions_double_up_to_64_and_begin_anew():
    suspension, lengths = Suspension(), []
    for _ in range(9):
        suspension.failed(10)
        lengths.append(suspension.until - 11)
        assert not suspension.over(suspension.until - 1)
        assert suspension.over(suspension.until)
    assert lengths == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    suspension.served()
    suspension.failed(10)
    assert suspension.until == 12


def test_a_beat_from_before_the_work_began_says_nothing_of_its_pace():
    progress = after(1.0, 2.0, 3.0, 4.0)  # intervals of 1
    progress.start(100.0)
    progress.beat(5, 5.0)  # read only now
    assert not progress.stalled(100.5)
    assert list(progress.intervals) == [1.0] * 4
    progress.beat(6, 101.0)
    assert list(progress.intervals) == [1.0] * 5
