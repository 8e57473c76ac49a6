"""Results as dyn-fed writes them, one row a run, in its columns and units.

===================  ===================================================================================================
jobid                the run's directory, and its variant where it has several
dataset, model_type  in dyn-fed's words; what it has not, in Holdfast's
optimizer            the nodes' optimiser, or where they send gradients the coordinator's; likewise learning_rate
n_clients            the nodes; dyn-fed itself writes n_workers there, one more
agg_mode             0 uniform, 1 samples, 2 loss
interval             local epochs from one exchange to the next
comm_mode            0 periodic, 1 svd, 2 loss, 3 dynamic averaging, 4 Shapley
noniid, unbalanced   1 where nodes hold different classes, or different amounts
epochs               local epochs in all
delta_threshold      that of dynamic averaging; 0 in the other modes
error                1 where the run did not come to its end
time                 seconds of the rounds, without evaluations
train_acc, test_acc  in per cent; train_acc is of the models that nodes use themselves, each on its own samples
train_loss           the last round's training loss
test_loss            the last evaluation's
pkt_size             payload bytes up, from all nodes to the coordinator, in MiB, which dyn-fed calls MB
comm_rounds          how many messages nodes have sent, all together
svd_time             always blank: nobody measures it
===================  ===================================================================================================

What there is not, such as the accuracy of a regression, or has no word of dyn-fed's, is blank.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.algorithms.base import Algorithm, LocalTraining, ServerAlgorithm
from holdfast.experiment import SOLE_VARIANT, Experiment, load
from holdfast.importers.dynfed import MODELS, TRIGGERS, WEIGHTINGS
from holdfast.importers.files import Fields
from holdfast.record.run_data import EXPERIMENT, Run, load_run

__all__ = ["COLUMNS", "rows", "table"]

COLUMNS = (
    *("jobid", "dataset", "model_type", "optimizer", "n_clients", "agg_mode", "interval", "comm_mode", "noniid"),
    *("unbalanced", "learning_rate", "epochs", "delta_threshold", "error", "time", "train_acc", "test_acc"),
    *("train_loss", "test_loss", "pkt_size", "comm_rounds", "svd_time"),
)
_DATASETS = {"fashion_mnist": "fashion-mnist"}
_SAME_CLASSES = ("iid", "overlap", "quantity", "resample")
_OTHER_CLASSES = ("sorted_pairs", "label_shards", "dirichlet")
_MODES = {"periodic": 0, "delta_switch": 0, "divergence": 3, **{name: mode for mode, name in TRIGGERS.items()}}


def table(directories: Sequence[Path]) -> str:
    """The rows as a CSV file, with a header.

    Args:
        directories: those of runs.

    Raises:
        InputError: one holds no readable run.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row for directory in directories for row in rows(directory))
    return text.getvalue()


def rows(directory: Path) -> Iterator[Fields]:
    """A row for each variant of a run: each column's value, ``None`` where there is none.

    Raises:
        InputError: the directory holds no readable run.
    """
    run = load_run(directory)
    for name, experiment in load(directory / EXPERIMENT).runs():
        job = directory.resolve().name if name == SOLE_VARIANT else f"{directory.resolve().name}/{name}"
        found = {"jobid": job, **_described(experiment), **_measured(run, name)}
        yield {column: found.get(column) for column in COLUMNS}


def _described(experiment: Experiment) -> Fields:
    """What the experiment says."""
    algorithm, optimizer = experiment.algorithm, getattr(experiment.algorithm, "optimizer", None)
    return {
        "dataset": _DATASETS.get(experiment.problem.component_name(), experiment.problem.component_name()),
        "model_type": _model_type(experiment),
        "optimizer": getattr(optimizer, "name", None),
        "learning_rate": getattr(optimizer, "lr", None),
        "n_clients": experiment.nodes,
        "agg_mode": _aggregation(experiment) if isinstance(algorithm, ServerAlgorithm) else None,
        **_split(experiment),
        **_schedule(experiment),
    }


def _model_type(experiment: Experiment) -> str | None:
    problem = experiment.problem
    model = getattr(problem, "model", None)
    if model is None:
        return None
    about = model.as_mapping()
    if about == {"name": "logistic"}:
        special = {"year_prediction_msd": "linear"}.get(problem.component_name())
        return special or ("svm" if getattr(problem, "loss", None) == "hinge" else "logistic")
    known = (name for name, ours in MODELS.items() if {**about, **ours} == about)
    return next(known, model.component_name())


def _aggregation(experiment: Experiment) -> int | None:
    """The number of the weighting, where rows are averaged at all."""
    if experiment.aggregator is None or experiment.aggregator.component_name() != "mean":
        return None
    weighting = getattr(experiment.algorithm, "weighting", None)
    return next((number for number, name in WEIGHTINGS.items() if name == weighting), None)


def _split(experiment: Experiment) -> Fields:
    partition, name = experiment.partition, experiment.partition.component_name()
    sigma = getattr(partition, "unbalanced", None)
    unequal = name == "quantity" or bool(sigma)
    known = name in (*_SAME_CLASSES, *_OTHER_CLASSES)
    return {
        "noniid": int(name in _OTHER_CLASSES) if known else None,
        "unbalanced": int(unequal) if known or sigma else None,
    }


def _schedule(experiment: Experiment) -> Fields:
    algorithm, trigger = experiment.algorithm, experiment.trigger
    mode = _MODES.get(trigger.component_name()) if isinstance(algorithm, ServerAlgorithm) else None
    epochs = _local_epochs(algorithm)
    every = getattr(trigger, "interval", getattr(trigger, "every", getattr(trigger, "check_every", 1)))
    return {
        "comm_mode": mode,
        "interval": epochs and epochs * every,
        "epochs": epochs and epochs * experiment.rounds,
        "delta_threshold": None if mode is None else getattr(trigger, "delta", 0.0),
    }


def _local_epochs(algorithm: Algorithm) -> int | None:
    """How often a round's work passes a node's samples, where that is a whole number."""
    if isinstance(algorithm, LocalTraining):
        return None if algorithm.local_steps else algorithm.local_epochs or 1
    return 1 if getattr(algorithm, "batch_size", 0) is None else None  # a gradient over all of them


def _measured(run: Run, variant: str) -> Fields:
    """What the run came to."""
    told: Fields = run.summary.get("variants", {}).get(variant, {})
    final = told.get("final", {})
    return {
        "error": int(told.get("status") != "done"),
        "time": told.get("seconds"),
        "train_acc": _train_accuracy(run, variant),
        "test_acc": _per_cent(final.get("test_accuracy")),
        "train_loss": final.get("train_loss"),
        "test_loss": final.get("test_loss"),
        "pkt_size": run.total(variant, "bytes_up") / 2**20,
        "comm_rounds": int(run.total(variant, "speakers")),
    }


def _train_accuracy(run: Run, variant: str) -> float | None:
    """The mean over all samples of the nodes, where it is known how many each holds."""
    local, counts = run.per_node(variant, "local_accuracy"), run.summary.get("class_counts")
    if local is None or counts is None:
        return None
    _, nodes_K, values_K = local.last()
    if nodes_K.max() >= len(counts):
        return None
    sizes_K = np.array([sum(counts[node]) for node in nodes_K.tolist()])
    return _per_cent(float(np.average(values_K, weights=sizes_K)))


def _per_cent(share: Any) -> float | None:
    return None if share is None or not math.isfinite(share) else 100 * float(share)
