from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from holdfast.algorithms.federated.diloco import DiLoCo
from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.errors import InputError

from ..tiny import line, play, simulation
from .plane import FIELDS, SHARDS, SIZES, heard
from .test_fedavg import ONE_STEP, PLANE, X

PLAIN = {"name": "sgd", "lr": 1.0}
NESTEROV = {"name": "sgd", "lr": 0.5, "momentum": 0.5, "nesterov": True}


def test_by_hand() -> None:
    # At 0 the outer gradient is -2: m = -2 and the step ½(2 + ½·2). At 1½ it is -1¼: m = -2¼, the step ½(1¼ + ½·2¼).
    sim = simulation(algorithm=DiLoCo(outer=NESTEROV, **ONE_STEP), **line(2.0, 6.0))
    assert play(sim, 2).flatten().tolist() == [1.5, 1.5 + (1.25 + 1.125) / 2]


class Node:
    """A node in plain PyTorch and float64, with an AdamW that it keeps."""

    def __init__(self, shard: slice) -> None:
        self.w = torch.zeros(2, dtype=torch.float64, requires_grad=True)
        self.x, self.y = torch.tensor(X[shard]), torch.tensor(PLANE.targets, dtype=torch.float64)[shard]
        self.forget()

    def forget(self) -> None:
        self.inner = torch.optim.AdamW([self.w], lr=0.03, weight_decay=0.1)

    def train(self, start: Tensor, steps: int) -> Tensor:
        self.w.data = start.detach().clone()
        for _ in range(steps):
            self.inner.zero_grad()
            (0.5 * (self.x @ self.w - self.y).square()).mean().backward()
            self.inner.step()
        return self.w.detach().clone()


@pytest.mark.parametrize("keep_inner", [True, False])
@pytest.mark.parametrize("participation", [1.0, 0.67])
def test_against_a_plain_loop(keep_inner: bool, participation: float) -> None:
    inner = {"name": "adamw", "lr": 0.03, "weight_decay": 0.1}
    algorithm = DiLoCo(local_steps=4, batch_size=None, optimizer=inner, keep_inner=keep_inner)
    straggler = [{"name": "straggle", "nodes": [2], "factor": 2}]
    sim = simulation(algorithm=algorithm, participation=participation, faults=straggler, **FIELDS)
    found = play(sim, 5)[:, 0]

    x = torch.tensor([1.0, -1.0], dtype=torch.float64, requires_grad=True)
    outer = torch.optim.SGD([x], lr=0.7, momentum=0.9, nesterov=True)
    nodes, expected = [Node(shard) for shard in SHARDS], []
    for round in range(1, 6):
        asked = heard(sim, round)
        total = sum(SIZES[i] for i in asked)
        if not keep_inner:
            for node in nodes:
                node.forget()
        ends = {i: nodes[i].train(x, 2 if i == 2 else 4) for i in asked}
        x.grad = sum(SIZES[i] / total * (x.detach() - ends[i]) for i in asked)  # type: ignore[assignment]
        outer.step()
        expected.append(x.detach().numpy().copy())
    assert len({tuple(heard(sim, round)) for round in range(1, 6)}) > 1 or participation == 1, "all are always asked"
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        # Steps of ½ towards 8 with momentum ½. Silent in round 1, at 4: from there by ½(4 + ½·8) to 8, ...
        ({"keep_local": True}, 8.0),
        # ... or, the momentum forgotten, by ½·4; or from 0 by ½(8 + ½·8), the work lost but not the momentum.
        ({"keep_local": True, "keep_inner": False}, 6.0),
        ({}, 6.0),
        ({"keep_inner": False}, 4.0),
    ],
)
def test_what_a_silent_node_keeps(kept: dict[str, bool], expected: float) -> None:
    inner = {"name": "sgd", "lr": 0.5, "momentum": 0.5}
    algorithm = DiLoCo(**{**ONE_STEP, "optimizer": inner, "outer": PLAIN, **kept})
    sim = simulation(algorithm=algorithm, trigger={"name": "periodic", "every": 2}, **line(8.0, 8.0))
    assert play(sim, 2).flatten().tolist() == [0.0, expected]


def test_with_plain_steps_inside_and_outside_it_is_fedavg() -> None:
    tiny = {"problem": "tests.tiny:Blobs", "nodes": 3, "engine": "stacked"}
    found, expected = (
        play(simulation(algorithm=algorithm, **tiny), 3)
        for algorithm in (DiLoCo(local_epochs=2, optimizer=FedAvg().optimizer, outer=PLAIN), FedAvg(local_epochs=2))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


def test_the_inner_rate_follows_the_rounds_and_the_outer_one_its_steps() -> None:
    # Towards 8, inner rates ½ and ¼, outer rates 1 and ½: from 0 to 4, then by ½·¼·4.
    halving: dict[str, Any] = {"name": "exponential", "rounds": 1, "rate": 0.5}
    fields = {**ONE_STEP, "optimizer": {"name": "sgd", "lr": 0.5, "schedule": halving}}
    sim = simulation(algorithm=DiLoCo(outer={**PLAIN, "schedule": halving}, **fields), **line(8.0, 8.0))
    assert play(sim, 2).flatten().tolist() == [4.0, 4.5]


def test_epochs_stand_in_for_the_default_steps() -> None:
    assert DiLoCo().local_steps == 500
    assert DiLoCo(local_epochs=2).local_steps is None
    with pytest.raises(InputError, match="local_steps must stand alone"):
        DiLoCo(local_epochs=2, local_steps=5)
