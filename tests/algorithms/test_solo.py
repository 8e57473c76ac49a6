from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from holdfast.algorithms.decentralised.solo import Solo

from ..tiny import Blobs, line, notes, play, simulation
from .peers import EVERYONE, FIELDS, START
from .test_fedavg import gradient


def test_by_hand() -> None:
    algorithm = Solo(batch_size=None, optimizer={"name": "sgd", "lr": 0.5})
    sim = simulation(algorithm=algorithm, topology="complete", **line(0.0, 8.0))
    assert play(sim, 2).squeeze(-1).tolist() == [[0.0, 4.0], [0.0, 6.0]]


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_all_rounds_are_one_training_with_torch(name: str) -> None:
    lr, expected = 0.1, []
    for i in EVERYONE:
        w = torch.tensor(START, requires_grad=True)
        optimizer = {"sgd": torch.optim.SGD([w], lr, momentum=0.9), "adam": torch.optim.Adam([w], lr)}[name]
        for _ in range(6):
            w.grad = torch.as_tensor(gradient(w.detach().numpy(), slice(2 * i, 2 * i + 2)))
            optimizer.step()
        expected.append(w.detach().numpy())
    how: dict[str, Any] = {"name": name, "lr": lr, **({"momentum": 0.9} if name == "sgd" else {})}
    found = play(simulation(algorithm=Solo(local_steps=2, batch_size=None, optimizer=how), **FIELDS), 3)[-1]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    "trigger",
    [{"name": "periodic", "every": 1}, {"name": "periodic", "every": 2}, {"name": "divergence", "delta": 0.01}],
)
def test_sends_nothing(trigger: Any) -> None:
    sim = simulation(algorithm=Solo(), problem=Blobs(), nodes=5, topology="cycle", trigger=trigger, engine="stacked")
    play(sim, 2)
    assert sim.messages == 0
    for direction in ("bytes_up", "bytes_down", "header_bytes_up", "header_bytes_down"):
        assert notes(sim).values[2, direction, None] == 0
    assert notes(sim).by_node(2, "train_loss").keys() == {0, 1, 2, 3, 4}


def test_the_topology_does_not_matter() -> None:
    cycle = play(simulation(algorithm=Solo(), **{**FIELDS, "topology": "cycle"}), 3)
    assert np.array_equal(cycle, play(simulation(algorithm=Solo(), **FIELDS), 3))
