from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.errors import InputError
from holdfast.types import FloatArray

from ..tiny import Cut, Line, line, notes, play, simulation

ONE_STEP = {"local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}
RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(12, 2)), RNG.normal(size=12)
PLANE = Line(inputs=tuple(map(tuple, X.tolist())), targets=tuple(Y.tolist()), start=(1.0, -1.0))


def gradient(w: FloatArray, samples: slice | FloatArray) -> FloatArray:
    x, y = X[samples], Y[samples]
    return np.asarray(sum((x_i @ w - y_i) * x_i for x_i, y_i in zip(x, y, strict=True)) / len(y))


def local_models(w: FloatArray, shards: list[slice], steps: int, lr: float) -> list[FloatArray]:
    models = []
    for shard in shards:
        own = w.copy()
        for _ in range(steps):
            own = own - lr * gradient(own, shard)
        models.append(own)
    return models


def test_by_hand() -> None:
    # With lr ½ a node goes half of the way to its target: from 0 to 1 and 3, from their mean 2 to 2 and 4, and so on.
    sim = simulation(algorithm=FedAvg(**ONE_STEP), **line(2.0, 6.0))
    assert play(sim, 3).flatten().tolist() == [2.0, 3.0, 3.5]


def test_the_nodes_rate_follows_the_rounds() -> None:
    # With lr 1/4 in the warm-up, 1/2 after it and 1/4 at the end the nodes, who agree, go from 0 to 1, 2½ and 2⅞.
    schedule = {"name": "polynomial", "rounds": 1, "end": 0.25, "warmup": 1}
    optimizer = {"name": "sgd", "lr": 0.5, "schedule": schedule}
    sim = simulation(algorithm=FedAvg(**{**ONE_STEP, "optimizer": optimizer}), **line(4.0, 4.0))
    assert play(sim, 3).flatten().tolist() == [1.0, 2.5, 2.875]


def test_samples_are_the_weights() -> None:
    # Node 0 has one sample of target 8 and goes to 4; node 1 has three of target 0 and stays: (1·4 + 3·0)/4.
    problem = Line(inputs=((1.0,),) * 4, targets=(8.0, 0.0, 0.0, 0.0))
    sim = simulation(algorithm=FedAvg(**ONE_STEP), problem=problem, nodes=2, partition=Cut(sizes=(1, 3)))
    assert play(sim, 1).item() == 1.0


def test_against_a_plain_loop() -> None:
    sizes, lr, steps = (5, 1, 6), 0.1, 4
    ends = np.cumsum(sizes)
    shards = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
    w, expected = np.array([1.0, -1.0]), []
    for _ in range(3):
        models = local_models(w, shards, steps, lr)
        w = sum(size / 12 * model for size, model in zip(sizes, models, strict=True))  # type: ignore[assignment]
        expected.append(w)
    algorithm = FedAvg(local_steps=steps, batch_size=None, optimizer={"name": "sgd", "lr": lr})
    sim = simulation(algorithm=algorithm, problem=PLANE, nodes=3, partition=Cut(sizes=sizes))
    np.testing.assert_allclose(play(sim, 3)[:, 0], expected, rtol=1e-5)


def test_one_step_on_even_shards_is_gradient_descent_on_all() -> None:
    w, expected = np.array([1.0, -1.0]), []
    for _ in range(5):
        w = w - 0.5 * gradient(w, slice(None))
        expected.append(w)
    sim = simulation(algorithm=FedAvg(**ONE_STEP), problem=PLANE, nodes=4, partition="iid")
    np.testing.assert_allclose(play(sim, 5)[:, 0], expected, rtol=1e-4, atol=1e-6)


def test_asks_a_fraction_of_the_nodes_and_always_the_same() -> None:
    def asked() -> list[list[int]]:
        sim = simulation(algorithm=FedAvg(**ONE_STEP), participation=0.3, **line(*range(10)))
        play(sim, 6)
        return [sorted(notes(sim).by_node(round, "bytes_up")) for round in range(1, 7)]

    first = asked()
    assert [len(nodes) for nodes in first] == [3] * 6
    assert len({tuple(nodes) for nodes in first}) > 1, "the same nodes in every round"
    assert asked() == first


def test_averages_over_those_asked_alone() -> None:
    sim = simulation(algorithm=FedAvg(**ONE_STEP), participation=0.3, **line(*range(10)))
    x = play(sim, 1).item()
    assert x == pytest.approx(np.mean(list(notes(sim).by_node(1, "bytes_up"))) / 2)


def test_keep_local_is_local_sgd_that_averages_every_third_round() -> None:
    shards, lr = [slice(0, 4), slice(4, 8), slice(8, 12)], 0.1
    w, expected = np.array([1.0, -1.0]), []
    for _ in range(2):
        expected += [w, w]
        w = np.mean(local_models(w, shards, 3, lr), axis=0)
        expected.append(w)
    algorithm = FedAvg(keep_local=True, local_steps=1, batch_size=None, optimizer={"name": "sgd", "lr": lr})
    trigger = {"name": "periodic", "every": 3}
    sim = simulation(algorithm=algorithm, problem=PLANE, nodes=3, partition=Cut(), trigger=trigger)
    np.testing.assert_allclose(play(sim, 6)[:, 0], expected, rtol=1e-5)


def test_without_keep_local_silent_work_is_lost() -> None:
    trigger = {"name": "periodic", "every": 3}
    sim = simulation(algorithm=FedAvg(**ONE_STEP), trigger=trigger, **line(2.0, 6.0))
    assert play(sim, 6).flatten().tolist() == [0, 0, 2.0, 2.0, 2.0, 3.0]


def test_keep_local_outlasts_rounds_in_which_a_node_is_not_asked() -> None:
    # Every 4th round someone speaks; until then each node halves its distance to its target whenever it is asked.
    algorithm = FedAvg(keep_local=True, **ONE_STEP)
    trigger = {"name": "periodic", "every": 4}
    sim = simulation(algorithm=algorithm, trigger=trigger, participation=0.5, **line(*[8.0] * 4))
    x = play(sim, 4)[-1].item()
    trained = [notes(sim).by_node(round, "train_loss") for round in range(1, 5)]
    steps = [sum(node in round for round in trained) for node in trained[-1]]
    assert x == pytest.approx(np.mean([8 - 8 * 0.5**n for n in steps]))


def test_buffers_are_averaged_like_the_rest() -> None:
    # Batch norm of [1, 3] and [10, 14]: means 2 and 12, momentum 0.1; unbiased variances 2 and 8, from 1.
    sim = simulation(algorithm=FedAvg(**ONE_STEP), problem="tests.tiny:Normed", nodes=2, partition=Cut())
    x_D = torch.from_numpy(play(sim, 1)[0, 0])
    views = sim.run.engine.layout.views(x_D)
    assert views["running_mean"].item() == pytest.approx((0.2 + 1.2) / 2)
    assert views["running_var"].item() == pytest.approx(((0.9 + 0.2) + (0.9 + 0.8)) / 2)
    assert views["num_batches_tracked"].item() == 1


def test_refuses_epochs_and_steps_at_once() -> None:
    with pytest.raises(InputError, match="local_steps must stand alone"):
        FedAvg(local_epochs=1, local_steps=1)
