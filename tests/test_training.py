"""Training that goes on from an optimiser's memory, against a torch optimiser that each node keeps, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from holdfast.cohort import Cohort
from holdfast.engines import Engine, SequentialEngine, StackedEngine
from holdfast.optimizer import Optimizer
from holdfast.types import State

from .small import ENGINES, cohort, load, network, rows, samples, unload
from .test_cohort import batches_of, steps_of

SIZES = [7, 4, 12, 6, 10]
WORK = [
    ([0, 1, 2, 3, 4], [1.0, 0.5, 1.0, 0.3, 1.0]),
    ([2, 4], [1.0, 0.4]),
    ([0, 2, 3], [1.0, 1.0, 1.0]),
    ([4, 3, 2, 1, 0], [0.6, 1.0, 1.0, 1.0, 1.0]),
]
"""Who is at work in each round, and how much of it each gets done."""
SETTINGS: list[dict[str, Any]] = [
    {"name": "sgd"},
    {"name": "sgd", "momentum": 0.9, "dampening": 0.5},
    {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    {"name": "adam", "amsgrad": True},
    {"name": "adamw", "weight_decay": 0.1},
    {"name": "rmsprop", "momentum": 0.5, "centered": True},
    {"name": "adagrad", "initial_accumulator_value": 0.5, "lr_decay": 0.1},
    {"name": "nadam"},
    {"name": "asgd", "t0": 2.0},
    {"name": "rprop"},
]
engines = pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
every = pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(map(str, s.values())))


class Alone:
    """One node with a network and a torch optimiser of its own, which it keeps."""

    def __init__(self, name: str, settings: Optimizer) -> None:
        self.model = network(name).double()
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.stepper = settings.over(self.trained)

    def train(self, k: Cohort, row: int, x_D: Tensor, lr: float, plan: dict[str, int]) -> Tensor:
        load(self.model, k, x_D).train()
        self.stepper.param_groups[0]["lr"] = lr
        size = len(k.data.shards[int(k.nodes_K[row])])
        whole = steps_of(size, plan["batch_size"], plan.get("epochs"), plan.get("steps"))
        done = max(1, int(np.ceil(whole * float(k.work[row]))))
        for batch in batches_of(k, row, (k.round - 1) * whole, done, plan["batch_size"]):
            self.stepper.zero_grad()
            k.data.metrics["loss"](self.model(k.data.train[0][batch]), k.data.train[1][batch]).mean().backward()
            self.stepper.step()
        return unload(self.model, k)


def check(settings: Optimizer, engine: type[Engine], chunk: int, name: str = "mlp", **plan: int) -> None:
    """Rounds of a cohort, of which each node remembers its own, are each node's training alone."""
    nodes = [Alone(name, settings.at(0)) for _ in SIZES]
    known: dict[int, State] = {}
    for number, (there, work) in enumerate(WORK, 1):
        k = cohort(samples(SIZES), network(name), engine, chunk, nodes=there, round=number, work_K=np.array(work))
        fresh = settings.memory(rows(k, network(name))[:, : k.engine.layout.parameters])
        first = {node: {key: table[row] for key, table in fresh.items()} for row, node in enumerate(there)}
        memory = {key: torch.stack([{**first, **known}[node][key] for node in there]) for key in fresh}
        kept, x_KD = {key: table.clone() for key, table in memory.items()}, rows(k, network(name))
        after, y_KD, losses_K = k.train_on(x_KD, settings.at(number - 1), memory, **plan)
        assert all(torch.equal(memory[key], kept[key]) for key in kept), "changed the memory it was given"
        assert losses_K.isfinite().all()
        for row, node in enumerate(there):
            y_D = nodes[node].train(k, row, x_KD[row], settings.at(number - 1).lr, plan)
            torch.testing.assert_close(y_KD[row], y_D, rtol=1e-6, atol=1e-8)
            known[node] = {key: table[row] for key, table in after.items()}


@engines
@every
def test_a_row_goes_on_as_if_it_were_alone(settings: dict[str, Any], engine: type[Engine]) -> None:
    check(Optimizer(**{"lr": 0.02, **settings}), engine, chunk=2, epochs=1, batch_size=3)


def test_all_in_one_chunk_or_apart() -> None:
    for chunk in (1, 100):
        check(Optimizer(name="adam", lr=0.02), StackedEngine, chunk, epochs=2, batch_size=3)


@engines
def test_so_do_networks_with_buffers_under_a_schedule(engine: type[Engine]) -> None:
    schedule = {"name": "exponential", "rounds": 1, "rate": 0.5}
    check(Optimizer(name="adamw", lr=0.02, schedule=schedule), engine, 3, "batch_norm", steps=3, batch_size=4)


def test_the_memory_is_torchs_own() -> None:
    k = cohort(samples([8, 8]), network("logistic"), work_K=np.array([1.0, 0.5]))
    adam, x_KD = Optimizer(name="adam", lr=0.1), rows(k, network("logistic"))
    memory, _, _ = k.train_on(x_KD, adam, {}, steps=4, batch_size=2)
    assert {key: tuple(table.shape) for key, table in memory.items()} == {
        "step": (2,),
        "exp_avg": (2, k.columns),
        "exp_avg_sq": (2, k.columns),
    }
    assert memory["step"].tolist() == [4, 2]
    node = Alone("logistic", adam)
    node.train(k, 1, x_KD[1], 0.1, {"steps": 4, "batch_size": 2})
    own = [node.stepper.state[p]["exp_avg_sq"].flatten() for p in node.trained]
    torch.testing.assert_close(memory["exp_avg_sq"][1], torch.cat(own), rtol=1e-9, atol=1e-12)


@engines
def test_a_first_memory_is_none_at_all(engine: type[Engine]) -> None:
    k, settings = cohort(samples(SIZES), network("mlp"), engine, chunk=2), Optimizer(name="adagrad", lr=0.1)
    x_KD = rows(k, network("mlp"))
    y_KD, losses_K = k.train(x_KD, settings, epochs=1, batch_size=4)
    for memory in ({}, None, settings.memory(x_KD)):
        after, z_KD, same_K = k.train_on(x_KD, settings, memory, epochs=1, batch_size=4)
        assert torch.equal(z_KD, y_KD)
        assert torch.equal(same_K, losses_K)
        assert list(after) == ([] if memory is None else ["step", "sum"])


def test_nobody_at_all_is_no_trouble() -> None:
    k = cohort(samples([2, 3]), network("mlp"), SequentialEngine, nodes=[])
    memory, y_KD, losses_K = k.train_on(torch.zeros(0, k.columns), Optimizer(name="adam"), {}, epochs=1)
    assert (y_KD.shape, losses_K.shape, memory["exp_avg"].shape) == ((0, k.columns), (0,), (0, k.columns))
