from __future__ import annotations

import numpy as np

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.algorithms.federated.fedavgm import FedAvgM

from ..tiny import line, play, simulation
from .plane import FIELDS, SHARDS, SIZES, START
from .test_fedavg import ONE_STEP, local_models


def test_by_hand() -> None:
    # The update is half of the way to 4: 2, 1, 0 and -½ where the model stands; with β = ½ it moves by 2, 2, 1 and 0.
    sim = simulation(algorithm=FedAvgM(momentum=0.5, **ONE_STEP), **line(2.0, 6.0))
    assert play(sim, 4).flatten().tolist() == [2.0, 4.0, 5.0, 5.0]


def test_against_a_plain_loop() -> None:
    w, m, expected = START, np.zeros(2), []
    for _ in range(5):
        models = local_models(w, SHARDS, 3, 0.1)
        m = 0.9 * m + sum(size / 12 * (model - w) for size, model in zip(SIZES, models, strict=True))
        w = w + 0.4 * m
        expected.append(w)
    fields = {"local_steps": 3, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.1}}
    sim = simulation(algorithm=FedAvgM(server_lr=0.4, **fields), **FIELDS)
    np.testing.assert_allclose(play(sim, 5)[:, 0], expected, rtol=1e-5)


def test_without_momentum_it_is_fedavg() -> None:
    found, expected = (
        play(simulation(algorithm=algorithm, problem="tests.tiny:Blobs", nodes=3, engine="stacked"), 3)
        for algorithm in (FedAvgM(momentum=0.0), FedAvg())
    )
    assert np.array_equal(found, expected)
