"""From an experiment to what a runtime needs: data, model, engine and parts, all checked before anything runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import networkx as nx
import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from holdfast.algorithms import PeerAlgorithm
from holdfast.attacks import Attack
from holdfast.calibrate import Timing, choose_engine
from holdfast.cohort import Cohort, Data
from holdfast.engines import Engine
from holdfast.errors import InputError, nearest
from holdfast.experiment import Experiment
from holdfast.parts import Parts
from holdfast.problems import Task
from holdfast.seeding import address
from holdfast.trial import check_batches, check_task
from holdfast.types import FloatArray, IntArray

__all__ = ["Prepared", "Preparer", "available_metrics"]

T = TypeVar("T")
VALIDATION = 1000
"""How many samples are held out for the trigger's plan, at most; and no more than a tenth."""


@dataclass(frozen=True)
class Prepared:
    """One variant, ready to run.

    Args:
        experiment: the variant, with the engine that was chosen.
        data: samples and shards, on the device.
        engine: how gradients are computed.
        parts: the components of a round.
        metrics: the names of the metrics to evaluate.
        timings: what the choice of the engine rests on.
    """

    experiment: Experiment
    data: Data
    engine: Engine
    parts: Parts
    metrics: tuple[str, ...]
    timings: tuple[Timing, ...]

    @cached_property
    def everyone(self) -> IntArray:
        """All nodes."""
        return np.arange(self.experiment.nodes, dtype=np.int64)

    @cached_property
    def honest(self) -> IntArray:
        """All nodes that are not Byzantine."""
        return np.setdiff1d(self.everyone, self.parts.byzantine)

    @cached_property
    def probe(self) -> tuple[Tensor, Tensor] | None:
        """The test samples on which the attack's success shows, and the classes that the attacker wants."""
        return _probe(self.parts.attack, self.data.test, self.data.classes)

    @property
    def peers(self) -> bool:
        """Whether nodes exchange along a graph, without a coordinator."""
        return isinstance(self.parts.algorithm, PeerAlgorithm)

    def warm_up(self) -> float:
        """Let the rule compile, or load, what it needs, on a few zeros; the seconds that it took.

        So that the first round costs what every other does.
        """
        rule, start = self.parts.aggregator, time.perf_counter()
        if rule is not None:
            rule.aggregate({}, self.parts.initial_D.new_zeros(rule.least + 1, 8))
        return time.perf_counter() - start

    def cohort(self, nodes_K: IntArray, round: int, work_K: FloatArray | None = None) -> Cohort:
        """Some nodes in a round."""
        attack, bad_K = self.parts.attack, self.parts.is_byzantine(nodes_K)
        if attack is not None and not attack.active(round):
            bad_K = np.zeros_like(bad_K)
        work_K = np.ones(len(nodes_K)) if work_K is None else work_K
        return Cohort(self.data, self.engine, nodes_K, round, work_K, attack.poison if attack else None, bad_K)

    @cached_property
    def held_out(self) -> IntArray:
        """The training samples on which a coordinator may judge what the trigger's plan needs, sorted."""
        samples = len(self.data.train[0])
        count = max(1, min(VALIDATION, samples // 10))
        rng = np.random.default_rng(int(address(self.experiment.seed, "validation")))
        return np.sort(rng.choice(samples, count, replace=False))

    @cached_property
    def validation(self) -> tuple[Tensor, Tensor]:
        """The inputs and targets of the held out samples."""
        at = torch.from_numpy(self.held_out)
        return self.data.train[0][at], self.data.train[1][at]

    @cached_property
    def survey_width(self) -> int:
        """R: how many numbers a node answers to the trigger's survey."""
        if not self.parts.trigger.surveys:
            return 0
        inputs, targets = (tensor[:2] for tensor in self.validation)
        return self.parts.trigger.survey(inputs, targets, self.data.classes, self.parts.seed).numel()

    def survey(self, nodes_K: IntArray) -> Tensor:
        """(K, R) what nodes answer to the trigger's survey, each of its samples that are not held out."""
        inputs, targets = self.data.train
        reports = []
        for node in nodes_K.tolist():
            shard = np.asarray(self.data.shards[node])
            own = np.setdiff1d(shard, self.held_out)
            at = torch.from_numpy(own if len(own) else shard)
            reports.append(self.parts.trigger.survey(inputs[at], targets[at], self.data.classes, self.parts.seed))
        return torch.stack(reports)

    def graph(self, round: int) -> nx.Graph:
        """Who is linked to whom in a round."""
        return self.experiment.topology.graph(round, self.experiment.nodes, self.experiment.seed)

    def weights(self, round: int) -> sparse.csr_array:
        """The (N, N) mixing matrix of a round."""
        topology = self.experiment.topology
        return topology.weights(self.graph(round)) if topology.changes else self._weights

    @cached_property
    def _weights(self) -> sparse.csr_array:
        return self.experiment.topology.weights(self.graph(1))


class Preparer:
    """Prepares variants, and makes once what they share: same data, same split, same first model.

    Args:
        data_dir: where data sets lie.
        rows: how many nodes compute in this process; all that are asked in a round without it.
    """

    def __init__(self, data_dir: Path | None = None, rows: int | None = None) -> None:
        self.data_dir, self.rows = data_dir, rows
        self._made: dict[str, Any] = {}

    def prepare(self, experiment: Experiment) -> Prepared:
        """One variant, ready to run.

        Raises:
            InputError: data are missing or damaged, a node is left without samples, model, loss and data do not fit
                together, the graph is not connected, a rule cannot keep its promise, or there is no such device or
                metric.
        """
        device = _device(experiment.device)
        task = self._once(experiment, ("problem",), lambda: _load(experiment, self.data_dir))
        metrics = _metrics(experiment, task)
        _check_graph(experiment)
        split = ("problem", "partition", "nodes", "seed", "device")
        data = self._once(experiment, split, lambda: _data(experiment, task, device, self.data_dir))
        _check_attack(experiment, data)
        model = _initial_model(task, experiment.seed)
        batch_size = getattr(experiment.algorithm, "batch_size", 32)
        check_task(model, data)
        check_batches(model, data, batch_size)
        width = ("engine", "chunk_rows", "memory_mb", "participation", "algorithm", "attack")
        engine, timings = self._once(
            experiment,
            (*split, *width),
            lambda: choose_engine(
                model,
                data,
                task.loss,
                wanted=experiment.engine,
                chunk=experiment.chunk_rows,
                rows=experiment.asked if self.rows is None else self.rows,
                batch_size=batch_size,
                memory=experiment.memory_mb * 2**20,
                device=device,
            ),
        )
        chosen = experiment.model_copy(update={"engine": engine.name, "chunk_rows": engine.chunk})
        return Prepared(chosen, data, engine, _parts(experiment, engine, model), metrics, timings)

    def _once(self, experiment: Experiment, fields: tuple[str, ...], make: Callable[[], T]) -> T:
        """What depends on these fields alone, made the first time and kept."""
        key = json.dumps(experiment.model_dump(mode="json", include=set(fields)), sort_keys=True, default=str)
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made


def _device(name: str) -> torch.device:
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        given = f"{name} on a machine with {torch.cuda.device_count()} CUDA devices"
        raise InputError("device", "be a device of this machine", given, "Use device: cpu.")
    return device


def _load(experiment: Experiment, data_dir: Path | None) -> Task:
    task = experiment.problem.load(data_dir)
    if not isinstance(task, Task):
        name = experiment.problem.component_name()
        raise InputError(
            "problem",
            "load a Task",
            f"{name} returned {type(task).__name__}",
            "Return holdfast.problems.Task.",
        )
    return task


def _data(experiment: Experiment, task: Task, device: torch.device, data_dir: Path | None) -> Data:
    partition, seed, (inputs, targets) = experiment.partition, experiment.seed, task.train
    shards = partition.split(partition.keys(_strata(task), data_dir), experiment.nodes, seed)
    seen = (partition.disturb(inputs, shards, seed), targets)
    train, test = ((x.to(device), y.to(device)) for x, y in (seen, task.test))
    return Data(train, test, shards, {"loss": task.loss, **task.metrics}, task.classes, seed)


def _check_attack(experiment: Experiment, data: Data) -> None:
    """Whether the attack suits samples of this kind."""
    if experiment.attack is not None:
        experiment.attack.poison(data.train[0][:1], data.train[1][:1], data.classes)


def _strata(task: Task) -> IntArray:
    """(S,) the class of each training sample; in a regression the quintile of its value."""
    targets = task.train[1].cpu().numpy()
    if task.classes is not None:
        return np.asarray(targets, dtype=np.int64)
    values = targets.reshape(len(targets), -1).mean(1)
    quintiles: IntArray = np.searchsorted(np.quantile(values, [0.2, 0.4, 0.6, 0.8]), values).astype(np.int64)
    return quintiles


def _initial_model(task: Task, seed: int) -> nn.Module:
    """The first model, the same in every variant with the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(address(seed, "model")) >> 1)
        return task.model()


def _parts(experiment: Experiment, engine: Engine, model: nn.Module) -> Parts:
    attack, seed = experiment.attack, experiment.seed
    byzantine = attack.byzantine(experiment.nodes, seed) if attack else np.zeros(0, dtype=np.int64)
    initial_D: Tensor = engine.layout.row(model).to(engine.device)
    if attack:
        attack.start(0, len(initial_D))  # refuses rows that do not suit it
    algorithm: Any = experiment.algorithm
    shapes = list(engine.layout.shapes.values())
    return Parts(
        algorithm,
        experiment.aggregator,
        experiment.codec and experiment.codec.fitted(shapes),
        experiment.downlink and experiment.downlink.fitted(shapes),
        experiment.trigger,
        attack,
        byzantine,
        initial_D,
        engine.layout,
        experiment.nodes,
        seed,
    )


def available_metrics(experiment: Experiment, task: Task) -> tuple[str, ...]:
    """The metrics that can be evaluated in this experiment."""
    tested = tuple(f"test_{name}" for name in (*task.metrics, "loss"))
    if _probe(experiment.attack, task.test, task.classes) is not None:
        tested = (*tested, "attack_success")
    if isinstance(experiment.algorithm, PeerAlgorithm):
        return (*tested, "consensus_error")
    return (*tested, *(f"local_{name}" for name in (*task.metrics, "loss")))


def _probe(attack: Attack | None, test: tuple[Tensor, Tensor], classes: int | None) -> tuple[Tensor, Tensor] | None:
    """The attack's probe, if it has one with a sample in it."""
    found = attack.probe(*test, classes) if attack else None
    return found if found and len(found[0]) else None


def _metrics(experiment: Experiment, task: Task) -> tuple[str, ...]:
    available = available_metrics(experiment, task)
    for name in experiment.metrics or ():
        if name not in available:
            raise InputError("metrics", "be among those that apply here", name, nearest(name, available))
    return available if experiment.metrics is None else experiment.metrics


def _check_graph(experiment: Experiment) -> None:
    """Among peers: connected, and every neighbourhood large enough for the rule.

    In a graph that changes, a node may find enough neighbours later, and until then its rounds are skipped; but that
    nobody has enough to begin with is a mistake.
    """
    if not isinstance(experiment.algorithm, PeerAlgorithm):
        return
    graph = experiment.topology.graph(1, experiment.nodes, experiment.seed)
    name, changes = experiment.topology.component_name(), experiment.topology.changes
    if not changes and not nx.is_connected(graph):
        raise InputError("topology", "be connected", name, "Use more edges, or another seed.")
    rule = experiment.aggregator
    node, degree = (max if changes else min)(graph.degree, key=lambda pair: pair[1])
    if rule is not None and degree + 1 < rule.least:
        given = f"{name}, in which node {node} has {degree} neighbours"
        remedy = "Use a denser graph, a smaller f, or leave aggregator out to mix by W."
        names = " and ".join(stage.component_name() for stage in rule.each())
        required = f"give every node at least {rule.least - 1} neighbours for {names}"
        raise InputError("topology", required, given, remedy)
