"""An experiment of nn_distributed_training as one of ours: every key is mapped, or a note says what takes its place."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.importers.files import Fields, Imported
from holdfast.importers.nndt_config import Config, Dinno, Dsgt, Graph, Individual, MapData, MapSetup, MnistSetup, Run
from holdfast.importers.nndt_notes import CLASSES, LEGS, LONGER, ROBOTS, SOLO, notes

__all__ = ["imported"]


def imported(content: Mapping[str, Any]) -> Imported:
    """The experiment that a file of nn_distributed_training describes, each of its problems a variant.

    Args:
        content: what the file holds.

    Raises:
        InputError: a key or a value is unknown or missing, two contradict each other, or Holdfast has no such thing.

    Example:
        >>> content = {
        ...     "experiment": {
        ...         "name": "two", "data_split_type": "hetero", "loss": "NLL",
        ...         "graph": {"num_nodes": 10, "type": "cycle"},
        ...         "model": {"num_filters": 3, "kernel_size": 5, "linear_width": 64},
        ...     },
        ...     "problem_configs": {
        ...         "problem1": {
        ...             "problem_name": "dsgd", "train_batch_size": 64, "evaluate_frequency": 20,
        ...             "optimizer_config": {"alg_name": "dsgd", "alpha0": 0.005, "outer_iterations": 2000},
        ...         },
        ...     },
        ... }
        >>> imported(content).fields["algorithm"]
        {'name': 'dsgd', 'lr': 0.005, 'mu': 0.0, 'batch_size': 64}

    Source: the published program nn_distributed_training.
    """
    config = Config.of(content)
    fields = experiment(config)
    Experiment(**fields)
    return Imported(fields, notes(config))


def experiment(config: Config) -> Fields:
    """The fields of an experiment file; what the problems have in common, and the variants where there are several.

    Raises:
        InputError: keys contradict each other.
    """
    setup, variants = config.setup, _variants(config)
    common = next(iter(variants.values()))
    fields: Fields = {"name": re.sub(r"[^\w. -]", "-", setup.name)[:100]}
    if setup.seed is not None:
        fields["seed"] = setup.seed
    fields |= {"problem": problem(config), "nodes": nodes(setup), "partition": partition(setup), **common}
    if len(variants) > 1:
        fields["variants"] = {name: _differing(run, common) for name, run in variants.items()}
    return fields


def _variants(config: Config) -> dict[str, Fields]:
    """What each problem says of its own."""
    found = {name: _run(config.setup, run) for name, run in config.runs.items()}
    solo = config.setup.individual_training
    if not solo.train_solo:
        return found
    if SOLO in found:
        required = f"not be {SOLO} with experiment.individual_training, which has that name"
        raise InputError("problem_configs: problem_name", required, SOLO, "Rename it.")
    return {**found, SOLO: {**next(iter(found.values())), **_solo(solo)}}


def _differing(run: Fields, common: Fields) -> Fields:
    """The algorithm, and what else a variant does not share with the first."""
    own = {name: value for name, value in run.items() if name == "algorithm" or value != common[name]}
    return copy.deepcopy(own)  # or YAML would write a reference


def _run(setup: MnistSetup | MapSetup, run: Run) -> Fields:
    return {
        "topology": topology(setup, run),
        "algorithm": algorithm(run),
        "rounds": run.algorithm.outer_iterations,
        "evaluate_every": run.evaluate_every,
    }


def _solo(solo: Individual) -> Fields:
    optimizer = {"name": solo.optimizer, "lr": solo.lr}
    algorithm = {"name": "solo", "local_epochs": 1, "batch_size": solo.train_batch_size, "optimizer": optimizer}
    return {"algorithm": algorithm, "rounds": solo.epochs, "evaluate_every": 1}


def nodes(setup: MnistSetup | MapSetup) -> int:
    """How many nodes there are."""
    return setup.graph.num_nodes if setup.graph else ROBOTS


def partition(setup: MnistSetup | MapSetup) -> Fields:
    """How the samples are spread: the field of an experiment file.

    Raises:
        InputError: there are more nodes than classes.
    """
    if isinstance(setup, MapSetup):
        return {"name": "label_shards", "classes_per_node": 1}  # what tells its samples apart is the robot
    if setup.data_split_type == "random":
        return {"name": "iid"}
    if setup.graph.num_nodes > CLASSES:
        required = f"be at most {CLASSES} with data_split_type hetero, which deals out classes"
        raise InputError("experiment.graph.num_nodes", required, setup.graph.num_nodes, "Lower it, or split at random.")
    return {"name": "label_shards", "classes_per_node": -(-CLASSES // setup.graph.num_nodes)}


def problem(config: Config) -> Fields:
    """What is learned: the field of an experiment file."""
    setup = config.setup
    if isinstance(setup, MapSetup):
        return _map(setup, next(iter(config.runs.values())))
    model = {"channels": [setup.model.num_filters], "kernel": setup.model.kernel_size}
    return {"name": "mnist", "model": {"name": "dinno_cnn", **model, "hidden": [setup.model.linear_width]}}


def _map(setup: MapSetup, first: Run) -> Fields:
    data, robots = setup.data, nodes(setup)
    paths = [f"floorplan/path{robot + 1}.npy" for robot in range(robots)]
    return {
        "name": "online_density" if setup.online else "lidar_density",
        "model": {"name": "fourier", "hidden": list(setup.model.shape[1:-1]), "scale": setup.model.scale},
        "image": "floorplan/floor_img.png",
        "border_width": data.border_width,
        "robots": robots,
        "scans": _scans(data),
        "validation_scans": data.num_validation_scans,
        "lidar": _lidar(data),
        "poses": data.split_type,
        **({"paths": paths} if data.split_type == "trajectory" else {}),
        **(_window(data, first) if setup.online else {}),
    }


def _scans(data: MapData) -> int:
    """How many scans a robot makes: so many for each leg of its path, if the file says that."""
    if data.split_type == "trajectory" and data.spline_res is not None:
        return LEGS * data.spline_res
    return data.num_scans or 0


def _lidar(data: MapData) -> Fields:
    keys = ("num_beams", "beam_samps", "samp_distribution_factor", "collision_samps", "fine_samps", "round_density")
    found = {key: value for key in keys if (value := getattr(data, key)) is not None}
    return {**found, "beam_length": data.beam_length or data.scan_dist_scale}


LOADERS = 4
"""How many processes load the batches of a robot in turn there, each with a window of its own."""


def _window(data: MapData, first: Run) -> Fields:
    """How many scans a robot has, and how fast it drives: a scan on once each loader has drawn as many samples."""
    scans = data.num_scans_in_window or 0
    steps = first.algorithm.primal_iterations if isinstance(first.algorithm, Dinno) else 1
    drawn = steps * first.section.train_batch_size
    return {"window_scans": scans, "speed": drawn / (LOADERS * scans * data.num_beams * data.beam_samps)}


def topology(setup: MnistSetup | MapSetup, run: Run) -> Fields:
    """Who talks to whom: the field of an experiment file.

    Raises:
        InputError: robots that move have no radius.
    """
    if setup.graph is not None:
        return _static(setup.graph)
    if run.section.comm_radius is None:
        required = "be given with data.num_scans_in_window"
        raise InputError("problem_configs: comm_radius", required, None, "It says how far robots hear each other.")
    return {"name": "moving_disk", "radius": run.section.comm_radius / LONGER}


def _static(graph: Graph) -> Fields:
    if graph.type == "random":
        return {"name": "erdos_renyi", "p": graph.p, "attempts": graph.gen_attempts + 1}
    return {"name": graph.type}


def algorithm(run: Run) -> Fields:
    """How nodes learn: the field of an experiment file."""
    own, batch = run.algorithm, {"batch_size": run.section.train_batch_size}
    if isinstance(own, Dinno):
        return {**_dinno(own), **batch, "optimizer": _optimizer(own)}
    if isinstance(own, Dsgt):
        return {"name": "dsgt", "lr": own.alpha, "init_grads": own.init_grads, **batch}
    return {"name": "dsgd", "lr": own.alpha0, "mu": own.mu, **batch}


def _dinno(own: Dinno) -> Fields:
    rho = {"rho": own.rho_init, "rho_scaling": own.rho_scaling}
    return {
        "name": "dinno",
        **rho,
        "primal_iterations": own.primal_iterations,
        "keep_memory": own.persistant_primal_opt,
    }


def _optimizer(own: Dinno) -> Fields:
    """The optimiser of DiNNO's steps, whose last round has the last learning rate."""
    plain: Fields = {"name": own.primal_optimizer, "lr": own.lr}
    rounds, finish = own.outer_iterations - 1, own.primal_lr_finish
    if own.lr_decay_type == "constant" or finish is None or not rounds:
        return plain
    if own.lr_decay_type == "linear":
        return {**plain, "schedule": {"name": "polynomial", "rounds": rounds, "end": finish}}
    return {**plain, "schedule": {"name": "exponential", "rounds": rounds, "rate": finish / own.lr}}
