"""Problems so small that a test can compute their answers by hand, and a record that is kept in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from holdfast.experiment import Experiment
from holdfast.partitions import Partition
from holdfast.prepare import Prepared, Preparer
from holdfast.problems import Problem, Task
from holdfast.record.recorder import Recorder
from holdfast.runtimes.simulation import Simulation
from holdfast.types import FloatArray, IntArray

Point = tuple[float, ...]


PAIRED = ("choco", "dinno", "dinno_edges", "dsgt", "extra", "gossip", "gt_hsgd", "next", "nids", "prox_pda", "push_sum")
"""Algorithms in which nothing may count late."""
SUITED: dict[str, dict[str, Any]] = {"diloco": {"local_steps": 6}} | {name: {"max_staleness": 0} for name in PAIRED}
"""What tests of every algorithm set, so that a round takes milliseconds and late rows count where they may."""


def half_square(outputs: Tensor, targets: Tensor) -> Tensor:
    """½(x·w - y)², of which the gradient is (x·w - y) x."""
    return 0.5 * (outputs.squeeze(-1) - targets).square()


class Line(Problem):
    """A linear model without a bias, and samples that the test names."""

    inputs: tuple[Point, ...] = Field(((1.0,), (1.0,)), description="the inputs of the samples")
    targets: Point = Field((0.0, 2.0), description="the targets of the samples")
    start: Point = Field((0.0,), description="the first model")

    def load(self, data_dir: Path | None = None) -> Task:
        both = torch.tensor(self.inputs), torch.tensor(self.targets)
        return Task(self._model, both, both, half_square, metrics={})

    def _model(self) -> nn.Module:
        model = nn.Linear(len(self.start), 1, bias=False)
        nn.init.zeros_(model.weight).data += torch.tensor(self.start)
        return model


class Blobs(Problem):
    """Three classes in the plane, and a network with one hidden layer."""

    batch_norm: bool = Field(False, description="whether the network has buffers")
    samples: int = Field(60, description="how many samples")

    def load(self, data_dir: Path | None = None) -> Task:
        source = torch.Generator().manual_seed(5)
        labels = torch.arange(self.samples) % 3
        centres = torch.tensor([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
        inputs = centres[labels] + torch.randn(self.samples, 2, generator=source)
        return Task(self._model, (inputs, labels), (inputs[:30], labels[:30]), classes=3)

    def _model(self) -> nn.Module:
        norm = [nn.BatchNorm1d(4)] if self.batch_norm else []
        # Before the norm a bias would have rounding errors for a gradient, of which AdamW makes whole steps.
        return nn.Sequential(nn.Linear(2, 4, bias=not norm), *norm, nn.ReLU(), nn.Linear(4, 3))


class Normed(Problem):
    """Batch normalisation of one number and no more, so that the buffers' course is known."""

    def load(self, data_dir: Path | None = None) -> Task:
        inputs = torch.tensor([[1.0], [3.0], [10.0], [14.0]])
        both = inputs, torch.zeros(4)
        return Task(lambda: nn.BatchNorm1d(1), both, both, half_square, metrics={})


class Cut(Partition):
    """The samples in their own order, so many to each node; one each unless the sizes are named."""

    sizes: tuple[int, ...] | None = Field(None, description="how many samples each node gets")

    def split(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        sizes = self.sizes or (len(targets) // nodes,) * nodes
        return self.refuse_empty(np.split(np.arange(len(targets)), np.cumsum(sizes)[:-1]))


def line(*targets: float, start: float = 0.0) -> dict[str, Any]:
    """One sample a node, with x = 1: the loss of node i is ½(w - targets[i])²."""
    problem = Line(inputs=((1.0,),) * len(targets), targets=targets, start=(start,))
    return {"problem": problem, "nodes": len(targets), "partition": Cut(), "engine": "sequential"}


class Event(NamedTuple):
    round: int
    kind: str
    node: int | None
    detail: dict[str, Any]


class Notes:
    """What a `Recorder` would write, in memory."""

    def __init__(self) -> None:
        self.values: dict[tuple[int, str, int | None], float] = {}
        self.noted: list[Event] = []
        self.kept: dict[str, dict[str, Any]] = {}
        self.bytes_up, self.events = 0, Counter[str]()

    def metric(self, round: int, name: str, value: float, node: int | None = None) -> None:
        assert (round, name, node) not in self.values, "recorded twice"
        self.values[round, name, node] = value

    def metrics(self, round: int, name: str, nodes: Any, values: Any) -> None:
        for node, value in zip(np.asarray(nodes).tolist(), np.asarray(values).tolist(), strict=True):
            self.metric(round, name, value, node)

    def arrays(self, folder: str, **arrays: Any) -> None:
        self.kept[folder] = arrays

    def event(self, round: int, kind: str, node: int | None = None, **detail: Any) -> None:
        self.noted.append(Event(round, kind, node, detail))
        self.events[kind] += 1

    def of(self, kind: str) -> list[tuple[int, int | None]]:
        """(round, node) of each event of a kind."""
        return [(event.round, event.node) for event in self.noted if event.kind == kind]

    def by_node(self, round: int, name: str) -> dict[int, float]:
        """A metric of single nodes in a round."""
        return {n: v for (r, m, n), v in self.values.items() if (r, m) == (round, name) and n is not None}


def prepare(**fields: Any) -> Prepared:
    """An experiment, ready to run."""
    return Preparer().prepare(Experiment(**fields))


def simulation(runtime: Callable[[Prepared, Recorder], Simulation] = Simulation, **fields: Any) -> Simulation:
    """The simulation of an experiment, before its first round; its log is a `Notes`."""
    return runtime(prepare(**fields), cast(Recorder, Notes()))


def notes(sim: Simulation) -> Notes:
    """The record of a simulation that `simulation` made."""
    return cast(Notes, sim.log)


def play(sim: Simulation, rounds: int, first: int = 1) -> FloatArray:
    """The models after each of some rounds, (rounds, K, D) in float64."""
    models = []
    for round in range(first, first + rounds):
        sim.step(round)
        models.append(sim.models().double().numpy())
    return np.stack(models)
