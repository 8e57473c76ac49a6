from __future__ import annotations

import numpy as np
import pytest

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.algorithms.federated.fedprox import FedProx
from holdfast.types import FloatArray

from ..tiny import line, play, simulation
from .plane import FIELDS, SHARDS, SIZES, START, gradient
from .test_fedavg import ONE_STEP

TWO_STEPS = {**ONE_STEP, "local_steps": 2}


def test_by_hand() -> None:
    # A step of ½ takes a node half of the way to its target; there, with μ = 1, the pull back is as strong as the pull
    # on. So the mean goes half of the way to 4 in each round, and without the term three quarters.
    nodes = line(2.0, 6.0)
    assert play(simulation(algorithm=FedProx(mu=1.0, **TWO_STEPS), **nodes), 3).flatten().tolist() == [2.0, 3.0, 3.5]
    assert play(simulation(algorithm=FedProx(mu=0.0, **TWO_STEPS), **nodes), 1).item() == 3.0


def local_model(w: FloatArray, start: FloatArray, shard: slice, mu: float, steps: int) -> FloatArray:
    own = start.copy()
    for _ in range(steps):
        own = own - 0.1 * (gradient(own, shard) + mu * (own - w))
    return own


def test_against_a_plain_loop() -> None:
    w, expected = START, []
    for _ in range(3):
        models = [local_model(w, w, shard, 0.7, 4) for shard in SHARDS]
        w = np.asarray(sum(size / 12 * model for size, model in zip(SIZES, models, strict=True)))
        expected.append(w)
    algorithm = FedProx(mu=0.7, local_steps=4, batch_size=None, optimizer={"name": "sgd", "lr": 0.1})
    sim = simulation(algorithm=algorithm, **FIELDS)
    np.testing.assert_allclose(play(sim, 3)[:, 0], expected, rtol=1e-5)


def test_a_kept_model_is_pulled_to_the_broadcast_too() -> None:
    # From 0 to 4 in silence; from there 8 pulls on as much as 0 pulls back. FedAvg would go on to 6.
    spoken = {"trigger": {"name": "periodic", "every": 2}, **line(8.0, 8.0)}
    held, free = (cls(keep_local=True, **ONE_STEP, **more) for cls, more in ((FedProx, {"mu": 1.0}), (FedAvg, {})))
    assert play(simulation(algorithm=held, **spoken), 2).flatten().tolist() == [0.0, 4.0]
    assert play(simulation(algorithm=free, **spoken), 2).flatten().tolist() == [0.0, 6.0]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_without_the_term_it_is_fedavg(batch_norm: bool) -> None:
    tiny = {"problem": {"name": "tests.tiny:Blobs", "batch_norm": batch_norm}, "nodes": 3, "engine": "stacked"}
    fields = {"local_epochs": 2, "batch_size": 6}
    found, expected = (
        play(simulation(algorithm=algorithm, **tiny), 2) for algorithm in (FedProx(mu=0.0, **fields), FedAvg(**fields))
    )
    assert np.array_equal(found, expected)
