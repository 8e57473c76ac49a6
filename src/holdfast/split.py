"""From an experiment's problem and partition to the samples, and who holds which of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from holdfast.data import Data
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.problems import Task
from holdfast.problems.lidar.task import RobotTask
from holdfast.recovery import Cut
from holdfast.types import IntArray

__all__ = ["load_task", "recut", "share_out"]


def load_task(experiment: Experiment, data_dir: Path | None) -> Task:
    """The problem's task.

    Raises:
        InputError: data are missing or damaged, or what a user's problem loads is none.
    """
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


def share_out(experiment: Experiment, task: Task, device: torch.device, data_dir: Path | None) -> Data:
    """The samples on a device, and who holds which of them.

    Raises:
        InputError: a node would be left without samples, in some round at least.
    """
    partition, seed, (inputs, targets) = experiment.partition, experiment.seed, task.train
    shards = partition.split(partition.keys(_strata(task), data_dir), experiment.nodes, seed)
    seen = (partition.disturb(inputs, shards, seed), targets)
    train, test = ((x.to(device), y.to(device)) for x, y in (seen, task.test))
    metrics = {"loss": task.loss, **task.metrics}
    return Data(train, test, shards, metrics, task.classes, seed, _window(experiment, task, shards))


def _window(
    experiment: Experiment, task: Task, shards: Sequence[IntArray]
) -> Callable[[IntArray, int], IntArray] | None:
    """Which samples robots have in a round, where they forget.

    Raises:
        InputError: a node would have none in some round, or samples are to be taken over.
    """
    if not isinstance(task, RobotTask) or task.drive.window is None:
        return None
    if experiment.recovery.kind != "none":
        required = "be none where robots forget their samples"
        raise InputError("recovery", required, experiment.recovery.kind, "Leave it out, or use lidar_density.")
    lacking = task.drive.lacking(shards)
    if len(lacking):
        given = f"{experiment.partition.component_name()}, with which node {lacking[0]} has none in some rounds"
        remedy = "Use label_shards with a node for each robot, or raise problem.window_scans."
        raise InputError("partition", "leave every node samples in each window of scans", given, remedy)
    return task.drive.held


def recut(experiment: Experiment, task: Task, data_dir: Path | None) -> Cut:
    """Cuts the training samples anew over so many nodes, where recovery does that and the partition can.

    Raises:
        InputError: it cannot even when a single node is gone.
    """
    if experiment.recovery.kind != "repartition" or experiment.nodes == 1:
        return lambda nodes: None
    partition, fewer, seed = experiment.partition, experiment.nodes - 1, experiment.seed
    keys = partition.keys(_strata(task), data_dir)

    def cut(nodes: int) -> Sequence[IntArray] | None:
        try:
            return partition.split(keys, nodes, seed)
        except InputError:
            return None

    try:
        partition.split(keys, fewer, seed)
    except InputError as error:
        required = f"be a kind other than repartition where the samples cannot be cut over {fewer} nodes"
        raise InputError("recovery", required, "repartition", f"There, {error}") from error
    return cut


def _strata(task: Task) -> IntArray:
    """(S,) the class of each training sample; in a regression the quintile of its value; of robots, which made it."""
    if isinstance(task, RobotTask):
        return task.drive.robots_S
    targets = task.train[1].cpu().numpy()
    if task.classes is not None:
        return np.asarray(targets, dtype=np.int64)
    values = targets.reshape(len(targets), -1).mean(1)
    quintiles: IntArray = np.searchsorted(np.quantile(values, [0.2, 0.4, 0.6, 0.8]), values).astype(np.int64)
    return quintiles
