from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.algorithms.federated.robust_sgd import RobustSGD

from ..tiny import Cut, line, play, simulation
from .test_fedavg import PLANE, X, gradient

WHOLE = {"batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}


def test_by_hand() -> None:
    # The gradients at 0 are -2, -4 and -12: their mean is -6, their median -4; so 3 or 2 after one step of ½.
    assert play(simulation(algorithm=RobustSGD(**WHOLE), **line(2.0, 4.0, 12.0)), 1).item() == 3.0
    median = simulation(algorithm=RobustSGD(**WHOLE), aggregator="median", **line(2.0, 4.0, 12.0))
    assert play(median, 2).flatten().tolist() == [2.0, 3.0]


def test_with_the_mean_it_is_fed_sgd() -> None:
    sizes = (5, 1, 6)
    shards = [slice(0, 5), slice(5, 6), slice(6, 12)]
    w, expected = np.array([1.0, -1.0]), []
    for _ in range(4):
        w = w - 0.5 * sum(size / 12 * gradient(w, shard) for size, shard in zip(sizes, shards, strict=True))
        expected.append(w)
    sim = simulation(algorithm=RobustSGD(**WHOLE), problem=PLANE, nodes=3, partition=Cut(sizes=sizes))
    np.testing.assert_allclose(play(sim, 4)[:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("adam", {}),
        ("sgd", {"momentum": 0.9, "nesterov": True}),
        ("adamw", {"weight_decay": 0.1}),
        ("rmsprop", {}),
        ("adagrad", {"initial_accumulator_value": 0.1}),
        ("adadelta", {"rho": 0.95, "eps": 1.0}),
    ],
)
def test_the_servers_optimiser_is_torchs_on_the_mean_gradient(name: str, arguments: dict[str, float]) -> None:
    w = torch.tensor([1.0, -1.0], requires_grad=True)
    classes = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    classes |= {"adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
    classes |= {"adagrad": torch.optim.Adagrad, "adadelta": torch.optim.Adadelta}
    optimizer, expected = classes[name]([w], lr=0.05, **arguments), []
    inputs, targets = torch.tensor(X).float(), torch.tensor(PLANE.targets)
    for _ in range(5):
        optimizer.zero_grad()
        (0.5 * (inputs @ w - targets).square()).mean().backward()
        optimizer.step()
        expected.append(w.detach().double().numpy().copy())
    algorithm = RobustSGD(batch_size=None, optimizer={"name": name, "lr": 0.05, **arguments})
    sim = simulation(algorithm=algorithm, problem=PLANE, nodes=3, partition=Cut())
    np.testing.assert_allclose(play(sim, 5)[:, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("attack", ["nan", "sign_flip", {"name": "gaussian", "std": 1e6}])
def test_with_the_median_the_attackers_do_not_matter(attack: dict[str, object] | str) -> None:
    # Six honest nodes agree on the same target, so the median of nine rows is theirs, whatever three others send.
    named = {"name": attack} if isinstance(attack, str) else attack
    targets = [4.0] * 6 + [-50.0] * 3
    rule = {"name": "median", "f": 3}
    sim = simulation(
        algorithm=RobustSGD(**WHOLE), aggregator=rule, attack={**named, "nodes": [6, 7, 8]}, **line(*targets)
    )
    assert play(sim, 3).flatten().tolist() == [2.0, 3.0, 3.5]


def test_buffers_move_by_the_combined_decrease() -> None:
    # However the optimiser steps, the running statistics move exactly as FedAvg's mean of them does.
    algorithm = RobustSGD(batch_size=None, optimizer={"name": "adam", "lr": 0.3, "weight_decay": 0.1})
    sim = simulation(algorithm=algorithm, problem="tests.tiny:Normed", nodes=2, partition=Cut())
    means = []
    for x_D in play(sim, 2)[:, 0]:
        views = sim.run.engine.layout.views(torch.from_numpy(x_D))
        means.append((views["running_mean"].item(), views["running_var"].item(), views["num_batches_tracked"].item()))
    assert means[0] == pytest.approx((0.7, 1.4, 1))
    assert means[1] == pytest.approx((0.9 * 0.7 + 0.7, 0.9 * 1.4 + 0.5, 2))


def test_clips_each_nodes_gradient_before_the_mean() -> None:
    # The gradients -2 and -12 are clipped to norm 3, so the mean is -2.5.
    sim = simulation(algorithm=RobustSGD(clip_norm=3.0, **WHOLE), **line(2.0, 12.0))
    assert play(sim, 1).item() == pytest.approx(1.25, rel=1e-5)


def test_the_coordinators_rate_follows_its_schedule() -> None:
    # Two nodes pull towards 4: w moves by lr(4 - w), with lr 1/4 and 1/2 in the warm-up and at the start, then 1/4.
    schedule = {"name": "exponential", "rounds": 1, "rate": 0.5, "warmup": 1}
    algorithm = RobustSGD(batch_size=None, optimizer={"name": "sgd", "lr": 0.5, "schedule": schedule})
    sim = simulation(algorithm=algorithm, **line(4.0, 4.0))
    assert play(sim, 3).flatten().tolist() == [1.0, 2.5, 2.875]


def test_a_skipped_round_is_no_step_of_the_schedule() -> None:
    # Three rows are too few for krum with f = 1 when a node is away, so only rounds 1 and 3 are steps.
    schedule = {"name": "exponential", "rounds": 1, "rate": 0.5}
    algorithm = RobustSGD(batch_size=None, optimizer={"name": "sgd", "lr": 0.5, "schedule": schedule})
    away = [{"name": "crash", "node": 0, "at_round": 2, "back_at": 3}]
    sim = simulation(algorithm=algorithm, aggregator={"name": "median", "f": 1}, faults=away, **line(4.0, 4.0, 4.0))
    assert play(sim, 3).flatten().tolist() == [2.0, 2.0, 2.5]


@pytest.mark.parametrize(("penalty", "slope"), [({"l1": 0.25}, 0.25), ({"l2": 0.25}, 2 * 0.25 * 2.0)])
def test_penalties_are_added_to_the_gradient(penalty: dict[str, float], slope: float) -> None:
    # At w = 2 the gradient towards 4 is -2; λ|w| adds λ, and λw² adds 2λw.
    sim = simulation(algorithm=RobustSGD(**WHOLE, **penalty), **line(4.0, start=2.0))
    assert play(sim, 1).item() == 2.0 - 0.5 * (-2.0 + slope)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_penalties_leave_buffers_alone(penalty: str) -> None:
    def buffers(**fields: float) -> list[list[float]]:
        algorithm = RobustSGD(batch_size=None, optimizer={"name": "sgd", "lr": 1e-9}, **fields)
        sim = simulation(algorithm=algorithm, problem="tests.tiny:Normed", nodes=2, partition=Cut(), engine="stacked")
        return play(sim, 2)[:, 0, sim.run.engine.layout.parameters :].tolist()

    assert buffers(**{penalty: 100.0}) == buffers()
