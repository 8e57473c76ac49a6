"""From an experiment to what a runtime needs: data, model, engine and parts, all checked before anything runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
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
from holdfast.graphs import check_graph
from holdfast.parts import Parts
from holdfast.problems import Task
from holdfast.problems.lidar.task import RobotTask
from holdfast.recovery import Assignment, Cut, Lost, assign
from holdfast.seeding import Draws, address
from holdfast.split import load_task, recut, share_out
from holdfast.topologies import Topology
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
        cut: cuts the training samples anew over so many nodes, where recovery does that.
        topology: who talks to whom: that of the experiment, around the robots where the problem has some.
        robots: the problem's, where it has some.
    """

    experiment: Experiment
    data: Data
    engine: Engine
    parts: Parts
    metrics: tuple[str, ...]
    timings: tuple[Timing, ...]
    cut: Cut
    topology: Topology
    robots: RobotTask | None = None

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
        """Let the rule and the codecs compile, or load, what they need, on a few zeros; the seconds that it took.

        So that the first round costs what every other does.
        """
        rule, start = self.parts.aggregator, time.perf_counter()
        if rule is not None:
            rule.aggregate({}, self.parts.initial_D.new_zeros(rule.least + 1, 8))
        draws = Draws(0, "warm up", np.zeros(1, dtype=np.int64), 0)
        for codec in filter(None, (self.parts.codec, self.parts.downlink)):
            codec.decode(codec.encode(codec.start(1, 8), torch.zeros(1, 8), draws)[1])
        return time.perf_counter() - start

    def assignment(self, lost: Lost) -> Assignment:
        """Who works on whose samples while some nodes are gone."""
        return self._assignments(tuple(sorted(lost.items())))

    @cached_property
    def _assignments(self) -> Callable[[tuple[tuple[int, tuple[int, ...]], ...]], Assignment]:
        """`assignment`, which the rounds in which nobody comes or goes need but once."""
        parts, shards, disjoint = self.parts, self.data.shards, self.experiment.partition.disjoint

        @lru_cache(maxsize=2)
        def found(lost: tuple[tuple[int, tuple[int, ...]], ...]) -> Assignment:
            return assign(parts.recovery, shards, dict(lost), parts.seed, self.cut, disjoint)

        return found

    def cohort(
        self, nodes_K: IntArray, round: int, work_K: FloatArray | None = None, lost: Lost | None = None
    ) -> Cohort:
        """Some nodes in a round, in which others may be gone."""
        attack, bad_K = self.parts.attack, self.parts.is_byzantine(nodes_K)
        if attack is not None and not attack.active(round):
            bad_K = np.zeros_like(bad_K)
        work_K = np.ones(len(nodes_K)) if work_K is None else work_K
        poison, held = attack.poison if attack else None, self.assignment(lost or {}).held
        return Cohort(self.data, self.engine, nodes_K, round, work_K, poison, bad_K, held)

    def effort(self, nodes_K: IntArray, lost: Lost | None = None) -> FloatArray:
        """(K,) on how many samples nodes work in a round, as the algorithm says."""
        return self.parts.algorithm.effort(self.cohort(nodes_K, 1, lost=lost).sizes_K)

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
        return self.topology.graph(round, self.experiment.nodes, self.experiment.seed)

    def mixing(self, round: int) -> sparse.csr_array:
        """The (N, N) mixing matrix of the topology in a round."""
        return self._mixing(round if self.topology.changes else 1)

    @cached_property
    def _mixing(self) -> Callable[[int], sparse.csr_array]:
        """`mixing`, which is asked for more than once in a round."""
        return lru_cache(maxsize=2)(lambda round: self.topology.weights(self.graph(round)))

    def weights(self, round: int) -> sparse.csr_array:
        """The (N, N) weights of whom a node hears in a round: those of the mixing matrix that the algorithm uses."""
        algorithm = self.parts.algorithm
        assert isinstance(algorithm, PeerAlgorithm)
        return algorithm.links(self.mixing(round), round, self.experiment.seed)


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
                metric, or recovery cannot do what it is to do.
        """
        device = _device(experiment.device)
        task = self._once(experiment, ("problem",), lambda: load_task(experiment, self.data_dir))
        metrics = _metrics(experiment, task)
        topology = _topology(experiment, task)
        if experiment.clock is not None:  # its files may be missing or wrong
            experiment.clock.machines(experiment.nodes, experiment.seed)
            experiment.clock.available(experiment.nodes)
        split = ("problem", "partition", "nodes", "seed", "device")
        data = self._once(experiment, split, lambda: share_out(experiment, task, device, self.data_dir))
        model = _initial_model(task, experiment.seed)
        batch_size = getattr(experiment.algorithm, "batch_size", 32)
        check_task(model, data)
        _check_attack(experiment, model, data)
        check_batches(model, data, batch_size, grows=experiment.recovery.kind != "none")
        cut = recut(experiment, task, self.data_dir)
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
        parts, robots = _parts(experiment, engine, model), task if isinstance(task, RobotTask) else None
        return Prepared(chosen, data, engine, parts, metrics, timings, cut, topology, robots)

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


def _check_attack(experiment: Experiment, model: nn.Module, data: Data) -> None:
    """Whether the attack suits samples of this kind, and the network what it makes of them."""
    if experiment.attack is None:
        return
    poisoned = experiment.attack.poison(data.train[0][:1], data.train[1][:1], data.classes)
    try:
        check_task(model, replace(data, train=poisoned))
    except InputError as error:
        name = experiment.attack.component_name()
        raise InputError("attack", "suit inputs of this kind", name, f"{error.remedy}") from error


def _topology(experiment: Experiment, task: Task) -> Topology:
    """Who talks to whom, around the robots where there are some; checked among peers.

    Raises:
        InputError: the graph is not connected, or too sparse for the rule; or the algorithm pools what is apart.
    """
    topology, algorithm, partition = experiment.topology, experiment.algorithm, experiment.partition
    if isinstance(task, RobotTask):
        topology = topology.placed(task.places)
    if isinstance(algorithm, PeerAlgorithm):
        check_graph(topology, algorithm, experiment.aggregator, experiment.nodes, experiment.seed, experiment.rounds)
        if algorithm.pools and not partition.public:
            required = f"let one process hold all samples for {algorithm.component_name()}"
            remedy = "Use another partition, or leave this algorithm out: it is a baseline on pooled data."
            raise InputError("partition", required, partition.component_name(), remedy)
    return topology


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
    algorithm.widths(engine.layout)  # refuses a network that does not suit it
    shapes = list(engine.layout.shapes.values())
    return Parts(
        algorithm,
        experiment.aggregator,
        experiment.codec and experiment.codec.fitted(shapes),
        experiment.downlink and experiment.downlink.fitted(shapes),
        experiment.trigger.fitted([engine.layout.shapes[name] for name in engine.layout.parameter_names]),
        attack,
        byzantine,
        initial_D,
        engine.layout,
        experiment.nodes,
        seed,
        experiment.recovery,
    )


def available_metrics(experiment: Experiment, task: Task) -> tuple[str, ...]:
    """The metrics that can be evaluated in this experiment."""
    tested = tuple(f"test_{name}" for name in (*task.metrics, "loss"))
    if _probe(experiment.attack, task.test, task.classes) is not None:
        tested = (*tested, "attack_success")
    if isinstance(experiment.algorithm, PeerAlgorithm):
        of_graph = ("spectral_gap", "algebraic_connectivity") if experiment.topology.changes else ()
        return (*tested, "consensus_error", "consensus_pairwise", "epoch", *of_graph)
    of_nodes = [f"{where}_{name}" for where in ("local", "personal") for name in (*task.metrics, "loss")]
    return (*tested, *of_nodes)


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
