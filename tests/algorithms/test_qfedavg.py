from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.algorithms.federated.qfedavg import QFedAvg
from holdfast.inbox import ServerInbox

from ..tiny import Cut, line, notes, play, simulation
from .plane import FIELDS, SHARDS, SIZES, START, gradient, loss

ONE_STEP = {"local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}


def test_by_hand() -> None:
    # From 0, with L = 2: the losses are 2 and 18, the updates 1 and 3.
    # Δ = 2·2·1, 18·2·3 and h = 2²·1² + 2·2, 2²·3² + 2·18, so x = 112/80.
    sim = simulation(algorithm=QFedAvg(q=1, **ONE_STEP), **line(2.0, 6.0))
    assert play(sim, 1).item() == pytest.approx(1.4)


@pytest.mark.parametrize("q", [0.5, 1.0, 2.5])
def test_against_a_plain_loop(q: float) -> None:
    lr = 0.1
    local = {"local_steps": 3, "batch_size": None, "optimizer": {"name": "sgd", "lr": lr}}
    w, expected = START.copy(), []
    for _ in range(4):
        deltas, curvatures = [], []
        for shard in SHARDS:
            y, F = w.copy(), loss(w, shard)
            for _ in range(3):
                y = y - lr * gradient(y, shard)
            step = (w - y) / lr
            deltas.append(F**q * step)
            curvatures.append(q * F ** (q - 1) * step @ step + F**q / lr)
        w = w - np.array(SIZES) @ np.array(deltas) / (np.array(SIZES) @ curvatures)
        expected.append(w)
    np.testing.assert_allclose(
        play(simulation(algorithm=QFedAvg(q=q, **local), **FIELDS), 4)[:, 0], expected, rtol=1e-5
    )


def test_with_q_0_it_is_fedavg() -> None:
    fair, average = (play(simulation(algorithm=a, **FIELDS), 3) for a in (QFedAvg(q=0, **ONE_STEP), FedAvg(**ONE_STEP)))
    np.testing.assert_allclose(fair, average, rtol=1e-6)


def test_the_greater_q_the_better_fares_who_fares_worst() -> None:
    # Three nodes want 0, one wants 8: the mean of the losses is least at 2, the greatest of them at 4.
    def resting(q: float) -> float:
        return float(play(simulation(algorithm=QFedAvg(q=q, **ONE_STEP), **line(0.0, 0.0, 0.0, 8.0)), 200)[-1].item())

    rests = [resting(q) for q in (0, 1, 4)]
    # Where the sum of F^{q+1} is least: 3 w^{2q+1} = (8 - w)^{2q+1}.
    assert rests == pytest.approx([8 / (1 + 3 ** (1 / (2 * q + 1))) for q in (0, 1, 4)], rel=1e-3)


def test_it_is_the_whole_samples_loss_not_that_of_training() -> None:
    # The node's loss at 0 is the mean of ½·2² and ½·6², whichever sample the batch holds.
    fields = {**line(2.0, 6.0, 4.0), "nodes": 2, "partition": Cut(sizes=(2, 1))}
    sim = simulation(algorithm=QFedAvg(q=1, **{**ONE_STEP, "batch_size": 1}), **fields)
    play(sim, 1)
    trained = notes(sim).by_node(1, "train_loss")
    assert trained[0] in (2.0, 18.0)
    update = 0.5 * (2 if trained[0] == 2 else 6)
    weights, h = np.array([2 * 10, 1 * 8]), np.array([1 + 2 * update**2 / 10, 1 + 2 * 4 / 8])
    assert sim.models().item() == pytest.approx(weights @ [update, 2] / (weights @ h))


def test_a_loss_of_zero_and_a_liars_curvature_do_no_harm() -> None:
    sim = simulation(algorithm=QFedAvg(q=0.5, **ONE_STEP), **line(0.0, 0.0))
    assert play(sim, 2).flatten().tolist() == [0, 0]
    said = {"update": torch.ones(3), "curvature": torch.tensor([-7.0])}
    inbox = ServerInbox(np.array([0]), {}, said, torch.ones(1), torch.ones(1), np.array([0]), parameters=2)
    assert QFedAvg().merge({"x": torch.zeros(3)}, inbox)["x"].tolist() == [1, 1, 1]
