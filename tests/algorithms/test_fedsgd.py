from __future__ import annotations

import numpy as np

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.algorithms.federated.fedsgd import FedSGD

from ..tiny import Cut, Line, line, play, simulation
from .plane import FIELDS, SHARDS, SIZES, START, gradient
from .test_fedavg import ONE_STEP

HALF = {"optimizer": {"name": "sgd", "lr": 0.5}}


def test_by_hand() -> None:
    # The gradients at 0 are -2 and -6, their mean -4: from 0 to 2, and half of the way to 4 again.
    assert play(simulation(algorithm=FedSGD(**HALF), **line(2.0, 6.0)), 3).flatten().tolist() == [2.0, 3.0, 3.5]


def test_a_batch_is_all_that_a_node_has() -> None:
    w, expected = START, []
    for _ in range(4):
        w = w - 0.5 * sum(size / 12 * gradient(w, shard) for size, shard in zip(SIZES, SHARDS, strict=True))
        expected.append(w)
    sim = simulation(algorithm=FedSGD(**HALF), **FIELDS)
    np.testing.assert_allclose(play(sim, 4)[:, 0], expected, rtol=1e-5)


def test_it_and_fedavg_with_one_local_step_are_gradient_descent_on_all_samples_exactly() -> None:
    # Numbers so round that nothing is lost in float32, so that the answers must be equal to the last bit.
    inputs = ((1.0, 0.0), (0.0, 2.0), (1.0, 1.0), (2.0, -1.0))
    targets, w = (2.0, -4.0, 6.0, 3.0), [1.0, -1.0]
    expected = []
    for _ in range(3):
        errors = [sum(a * b for a, b in zip(x, w, strict=True)) - y for x, y in zip(inputs, targets, strict=True)]
        slopes = [sum(e * x[d] for e, x in zip(errors, inputs, strict=True)) / 4 for d in range(2)]
        w = [value - 0.5 * slope for value, slope in zip(w, slopes, strict=True)]
        expected.append(w)
    plane = {"problem": Line(inputs=inputs, targets=targets, start=(1.0, -1.0)), "nodes": 4, "partition": Cut()}
    for algorithm in (FedSGD(**HALF), FedAvg(**ONE_STEP)):
        assert play(simulation(algorithm=algorithm, **plane), 3)[:, 0].tolist() == expected
