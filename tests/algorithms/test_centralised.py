from __future__ import annotations

from typing import Any

import numpy as np
import torch

from holdfast.algorithms.decentralised.centralised import Centralised

from ..tiny import Blobs, line, play, simulation
from .peers import FIELDS, MIDDLE, START, TARGETS, check_exact
from .test_fedavg import gradient

GD = {"name": "sgd", "lr": 0.3}


def test_by_hand() -> None:
    # The mean of 0 and 8 is 4; each round goes a quarter of what is left.
    algorithm = Centralised(batch_size=None, optimizer={"name": "sgd", "lr": 0.25})
    sim = simulation(algorithm=algorithm, topology="complete", **line(0.0, 8.0))
    assert play(sim, 2).squeeze(-1).tolist() == [[1.0, 1.0], [1.75, 1.75]]


def test_is_training_on_all_samples_with_torch() -> None:
    w = torch.tensor(START, requires_grad=True)
    optimizer = torch.optim.Adam([w], 0.1)
    for _ in range(6):
        w.grad = torch.as_tensor(gradient(w.detach().numpy(), slice(0, 12)))
        optimizer.step()
    algorithm = Centralised(local_steps=2, batch_size=None, optimizer={"name": "adam", "lr": 0.1})
    found = play(simulation(algorithm=algorithm, **FIELDS), 3)[-1]
    np.testing.assert_allclose(found, np.tile(w.detach().numpy(), (6, 1)), rtol=2e-5, atol=2e-6)


def test_has_no_bias() -> None:
    check_exact(Centralised(batch_size=None, optimizer=GD), 60)
    assert np.mean(TARGETS) == MIDDLE


def test_an_epoch_is_all_samples_once_for_all_nodes_together() -> None:
    sim = simulation(algorithm=Centralised(batch_size=6), problem=Blobs(), nodes=5, topology="cycle", engine="stacked")
    before = sim.run.engine.batches
    play(sim, 1)
    assert sim.run.engine.batches - before == 10  # 60 samples in batches of 6, and not five times that
    assert sim.messages == 0
    assert (sim.models() == sim.models()[0]).all()
    assert Centralised(local_steps=2, batch_size=8).effort(np.array([5, 20])).tolist() == [12.5, 12.5]


def test_who_was_down_lacks_the_rounds_it_missed() -> None:
    faults: list[dict[str, Any]] = [
        {"name": "crash", "node": 1, "at_round": 2, "back_at": 3},
        {"name": "straggle", "nodes": [0], "factor": 4},
    ]
    algorithm = Centralised(batch_size=None, optimizer=GD)
    found = play(simulation(algorithm=algorithm, faults=faults, topology="cycle", **line(*TARGETS)), 4).squeeze(-1)
    whole = play(simulation(algorithm=algorithm, topology="cycle", **line(*TARGETS)), 4).squeeze(-1)
    np.testing.assert_allclose(found[:, [0, 2, 3, 4]], whole[:, [0, 2, 3, 4]], rtol=1e-6)
    assert found[1, 1] == found[0, 1]
    np.testing.assert_allclose(found[3, 1], whole[2, 1], rtol=1e-6)


def test_poisoned_samples_do_not_reach_it() -> None:
    clean: dict[str, Any] = {"problem": Blobs(), "nodes": 5, "topology": "cycle", "engine": "stacked"}
    poisoned: dict[str, Any] = {**clean, "attack": {"name": "label_flip", "nodes": [0, 1]}}
    first, second = (play(simulation(algorithm=Centralised(), **fields), 2) for fields in (clean, poisoned))
    assert np.array_equal(first, second)
