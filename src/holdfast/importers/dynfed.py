"""A configuration of dyn-fed as an experiment: every key is mapped, or a note says what takes its place."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.importers.dynfed_config import Config, sections
from holdfast.importers.dynfed_notes import notes
from holdfast.importers.files import Fields, Imported

__all__ = [
    "MODELS",
    "PROBLEMS",
    "TRIGGERS",
    "WEIGHTINGS",
    "algorithm",
    "experiment",
    "imported",
    "optimizer",
    "partition",
    "problem",
    "trigger",
]

PROBLEMS = {
    "mnist": "mnist",
    "fashion-mnist": "fashion_mnist",
    "fashion_mnist": "fashion_mnist",
    "occupancy": "occupancy",
    "occupancy_data": "occupancy",
    "year_prediction_msd": "year_prediction_msd",
}
MODELS: dict[str, Fields] = {
    "logistic": {"name": "logistic"},
    "nn1": {"name": "mlp", "hidden": [128]},
    "nn2": {"name": "mlp", "hidden": [128, 128]},
    "cnn1": {"name": "cnn", "channels": [32], "kernel": 3, "hidden": [128], "dropout": 0.5},
    "linear": {"name": "logistic"},
    "svm": {"name": "logistic"},
}
TRIGGERS = {1: "svd", 2: "loss", 4: "shapley"}
WEIGHTINGS = {0: "uniform", 1: "samples", 2: "loss", 3: "svd"}
RECOVERIES = {1: "most_representative", 2: "repartition"}
UNBALANCED = 1.0
"""σ of the amounts of unbalanced nodes."""
BINS = 100
"""Into how many bins dyn-fed quantises."""


def imported(content: Mapping[str, Any]) -> Imported:
    """The experiment that a configuration of dyn-fed describes.

    Args:
        content: what its ``config.yml`` holds, in the present spelling or an older one.

    Raises:
        InputError: a key or a value is unknown, two contradict each other, or Holdfast has no such thing.

    Example:
        >>> found = imported({"model": {"n_iterations": 100}, "executor": {"comm_period": 10, "n_workers": 8}})
        >>> found.fields["nodes"], found.fields["rounds"], found.fields["algorithm"]["local_epochs"]
        (7, 10, 10)

    Source: the published program dyn-fed, and fault-tolerant-ml before it.
    """
    config = Config.of(sections(content))
    fields = experiment(config)
    Experiment(**fields)
    return Imported(fields, notes(config))


def experiment(config: Config) -> Fields:
    """The fields of an experiment file.

    Raises:
        InputError: keys contradict each other, or Holdfast has no such thing.
    """
    _refuse(config)
    fields = {
        "name": _name(config),
        "problem": problem(config),
        "nodes": config.distribute.n_workers - 1,
        "partition": partition(config),
        "algorithm": algorithm(config),
        "rounds": _schedule(config)[0],
        "trigger": trigger(config),
        "codec": {"name": "linspace", "bins": BINS} if config.distribute.quantize else None,
        "recovery": _recovery(config),
        "network": {"deadline": config.distribute.timeout} if "distribute.timeout" in config.given else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _refuse(config: Config) -> None:
    """Refuse what contradicts itself, and what Holdfast has not."""
    _refuse_data(config)
    _refuse_schedule(config)
    distribute = config.distribute
    if distribute.remap == 1 and not config.optimizer.n_most_rep:
        raise InputError("optimizer.n_most_rep", "be at least 1 with remap 1", 0, "dyn-fed's own files have 100.")


def _refuse_data(config: Config) -> None:
    kind, name = config.model.type, PROBLEMS[config.data.name]
    regression = name == "year_prediction_msd"
    suited = {"linear": regression, "cnn1": "mnist" in name}.get(kind, not regression or kind in ("nn1", "nn2"))
    if not suited:
        remedy = "linear is for year_prediction_msd, a regression; cnn1 for images; logistic and svm for classes."
        raise InputError("model.type", f"suit the data {config.data.name}", kind, remedy)
    if config.distribute.overlap and (config.data.noniid or config.data.unbalanced):
        remedy = "Nodes that share samples hold random and equal shares."
        required = "be 0 where data.noniid or data.unbalanced is 1"
        raise InputError("distribute.overlap", required, config.distribute.overlap, remedy)


def _refuse_schedule(config: Config) -> None:
    comms, epochs = config.comms, config.model.n_iterations
    if comms.interval > epochs:
        required = f"be at most model.n_iterations, {epochs}"
        raise InputError("comms.interval", required, comms.interval, f"dyn-fed would take {epochs}: write that.")
    if comms.mode == 3 and not config.distribute.delta_threshold:
        required = "be above 0 with comms.mode 3"
        raise InputError("distribute.delta_threshold", required, 0.0, "With 0 everybody always sends: that is mode 0.")
    if config.optimizer.mu_g and comms.mode == 3:
        remedy = "Dynamic averaging lets models drift freely within its threshold."
        raise InputError("optimizer.mu_g", "be 0 with comms.mode 3", config.optimizer.mu_g, remedy)
    unsuited = {"comms.mode 3": comms.mode == 3, "an interval above 1": comms.interval > 1}
    unsuited["optimizer.mu_g above 0"] = config.optimizer.mu_g > 0
    for what in (what for what, here in unsuited.items() if here and config.distribute.send_gradients):
        remedy = "A gradient holds for one step, at the model of which all begin."
        raise InputError("distribute.send_gradients", f"be 0 with {what}", 1, remedy)


def _name(config: Config) -> str:
    label = config.executor.scenario
    words = f"{config.data.name} {config.model.type}" if label is None else f"scenario {label}"
    return re.sub(r"[^\w. -]", "-", f"dyn-fed {words}")[:100]


def problem(config: Config) -> Fields:
    """What is learned: the field of an experiment file."""
    loss = {"loss": "hinge"} if config.model.type == "svm" else {}
    return {"name": PROBLEMS[config.data.name], "model": MODELS[config.model.type], **loss}


def partition(config: Config) -> Fields:
    """How the samples are spread: the field of an experiment file."""
    if config.distribute.overlap:
        return {"name": "overlap", "overlap": config.distribute.overlap}
    unbalanced = {"unbalanced": UNBALANCED} if config.data.unbalanced else {}
    return {"name": "sorted_pairs" if config.data.noniid else "iid", **unbalanced}


def _schedule(config: Config) -> tuple[int, int]:
    """How many rounds there are, and how many local epochs each has."""
    comms, epochs = config.comms, config.model.n_iterations
    if comms.mode in TRIGGERS or config.switches or config.distribute.send_gradients:
        return epochs, 1
    return math.ceil(epochs / comms.interval), comms.interval


def algorithm(config: Config) -> Fields:
    """How nodes learn: the field of an experiment file."""
    own: Fields = {"name": "fedavg"}
    if config.distribute.send_gradients:
        own = {"name": "fedsgd"}
    elif config.comms.mode == 3:
        own = {"name": "dynamic_averaging", "delta": config.distribute.delta_threshold, "norm": "max_tensor"}
    elif config.optimizer.mu_g:
        own = {"name": "elastic_averaging", "mu": config.optimizer.mu_g}
    elif config.switches:
        own = {"name": "fedavg", "keep_local": True}  # between two exchanges nodes train on
    epochs = {} if config.distribute.send_gradients else {"local_epochs": _schedule(config)[1]}
    clip = {"clip_norm": config.optimizer.clip_norm, "clip_value": config.optimizer.clip_val}
    return {
        **own,
        **epochs,
        "batch_size": config.batch_size,
        "optimizer": optimizer(config),
        **{name: value for name, value in clip.items() if value},
        "weighting": WEIGHTINGS[config.distribute.aggregate_mode],
    }


def optimizer(config: Config) -> Fields:
    """How nodes step: the field of an algorithm."""
    return {"name": config.optimizer.name, "lr": config.rate}


def trigger(config: Config) -> Fields | None:
    """Who speaks when, if that is not the algorithm's own: the field of an experiment file."""
    comms = config.comms
    if config.switches:
        return {"name": "delta_switch", "every": comms.interval, "threshold": config.distribute.delta_switch}
    if comms.mode not in TRIGGERS:
        return None
    epochs = {"epochs": comms.shap_epochs} if comms.mode == 4 else {}
    return {"name": TRIGGERS[comms.mode], "interval": comms.interval, **epochs}


def _recovery(config: Config) -> Fields | None:
    if not config.distribute.remap:
        return None
    samples = {"samples": config.optimizer.n_most_rep} if config.distribute.remap == 1 else {}
    return {"kind": RECOVERIES[config.distribute.remap], **samples}
