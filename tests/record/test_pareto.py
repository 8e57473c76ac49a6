from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.record.pareto import costs_of, front, pareto, reached, spent, targets
from holdfast.record.recorder import Recorder
from holdfast.record.run_data import Run, load_run

from .synthetic import write_two

POINTS = st.lists(st.tuples(st.integers(0, 8), st.integers(-8, 8)), max_size=30)


def fill(directory: Path, write: Callable[[Recorder], None]) -> Run:
    with Recorder(directory, "v") as recorder:
        write(recorder)
    return load_run(directory)


@given(POINTS, st.booleans())
def test_the_front_is_what_a_plain_loop_finds(points: list[tuple[int, int]], less: bool) -> None:
    kept = []
    for at, (cost, value) in enumerate(points):
        beaten = False
        for other, (its_cost, its_value) in enumerate(points):
            better = its_value < value if less else its_value > value
            alike = its_value == value and (its_cost < cost or (its_cost == cost and other < at))
            beaten |= its_cost <= cost and (better or alike)
        if not beaten:
            kept.append(at)
    costs, values = np.array(points, dtype=np.float64).reshape(-1, 2).T
    assert front(costs, values, less).tolist() == sorted(kept, key=lambda at: points[at][0])


@given(POINTS.filter(bool), st.integers(0, 8))
def test_it_tells_the_best_value_for_every_budget(points: list[tuple[int, int]], budget: int) -> None:
    costs, values = np.array(points, dtype=np.float64).T
    at = front(costs, values)
    affordable = values[costs <= budget]
    if len(affordable):
        assert values[at][costs[at] <= budget].max() == affordable.max()
    assert (np.diff(costs[at]) > 0).all()
    assert (np.diff(values[at]) > 0).all()


def test_bytes_and_samples_add_up_and_virtual_time_stands_as_it_is(tmp_path: Path) -> None:
    def write(recorder: Recorder) -> None:
        for round in (1, 2, 4):
            recorder.metric(round, "bytes_up", 10)
            recorder.metric(round, "bytes_down", 100)
            recorder.metric(round, "samples", 7)
            recorder.metric(round, "virtual_seconds", 1.5 * round)

    run, rounds = fill(tmp_path, write), np.array([0, 1, 3, 9])
    totals = {cost: spent(run, "v", cost, rounds) for cost in costs_of(run)}
    assert {cost: total.tolist() for cost, total in totals.items() if total is not None} == {
        "bytes": [0.0, 110.0, 220.0, 330.0],
        "virtual_seconds": [0.0, 1.5, 3.0, 6.0],
        "samples": [0.0, 7.0, 14.0, 21.0],
    }


def test_what_was_not_recorded_or_is_nothing_is_no_cost(tmp_path: Path) -> None:
    run = fill(tmp_path, lambda recorder: recorder.metric(1, "bytes_up", 0))
    assert costs_of(run) == []
    assert spent(run, "v", "samples", np.array([1])) is None


def test_every_evaluation_of_every_variant_counts(tmp_path: Path) -> None:
    best = pareto(write_two(tmp_path), "test_accuracy", "bytes")
    assert best.variants == ["thrifty", "lavish"]
    assert (best.costs.tolist(), best.values.tolist()) == ([10.0, 30.0], [0.4, 0.8])


def test_no_better_than_before_training_is_not_on_the_front(tmp_path: Path) -> None:
    def write(recorder: Recorder) -> None:
        for round, loss in enumerate((2.0, 3.0, np.nan, 1.0)):
            recorder.metric(round, "test_loss", loss)
            recorder.metric(round, "bytes_up", 0 if round == 0 else 5)

    best = pareto(fill(tmp_path, write), "test_loss", "bytes")
    assert (best.costs.tolist(), best.values.tolist()) == ([15.0], [1.0])


def test_targets_of_an_accuracy_and_of_a_loss(tmp_path: Path) -> None:
    def write(recorder: Recorder) -> None:
        recorder.metric(1, "test_accuracy", 0.5)
        recorder.metric(1, "test_loss", 0.9)
        recorder.metric(1, "test_r2", -0.5)

    run = fill(tmp_path, write)
    assert targets(run, "test_accuracy") == pytest.approx({0.9: 0.45, 0.95: 0.475, 0.99: 0.495})
    assert targets(run, "test_loss") == pytest.approx({0.9: 1.0, 0.95: 0.9 / 0.95, 0.99: 0.9 / 0.99})
    assert targets(run, "test_r2") == {}


def test_a_target_is_reached_at_the_first_evaluation_that_is_as_good(tmp_path: Path) -> None:
    def write(recorder: Recorder) -> None:
        for round, loss in enumerate((2.0, 1.0, 1.5, 0.5)):
            recorder.metric(round, "test_loss", loss)
            recorder.metric(round, "bytes_up", 5)

    run = fill(tmp_path, write)
    found = [reached(run, "v", "test_loss", "bytes", target) for target in (3.0, 1.2, 1.0, 0.7, 0.1)]
    assert found == [5.0, 10.0, 10.0, 20.0, None]
    assert reached(run, "v", "test_accuracy", "bytes", 0.5) is None
