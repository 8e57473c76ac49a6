"""Files of nn_distributed_training for the tests of its importer."""

from __future__ import annotations

from typing import Any

DINNO = {
    "alg_name": "dinno",
    "rho_init": 0.5,
    "rho_scaling": 1.0003,
    "outer_iterations": 2000,
    "primal_iterations": 2,
    "primal_optimizer": "adam",
    "persistant_primal_opt": False,
    "primal_lr_start": 0.005,
    "primal_lr_finish": 0.0005,
    "lr_decay_type": "log",
}
OLDER = {
    "alg_name": "cadmm",
    "rho_init": 1.0,
    "rho_scaling": 1.0,
    "outer_iterations": 30,
    "primal_iterations": 5,
    "primal_optimizer": "adam",
    "primal_lr": 0.005,
}
DSGT = {"alg_name": "dsgt", "outer_iterations": 2000, "alpha": 0.005, "init_grads": True}
DSGD = {"alg_name": "dsgd", "outer_iterations": 2000, "alpha0": 0.005, "mu": 0.001}


def problem(name: str, algorithm: dict[str, Any] = DINNO, **changed: Any) -> dict[str, Any]:
    """A section of a problem."""
    section = {"problem_name": name, "train_batch_size": 64, "evaluate_frequency": 20}
    return {**section, "optimizer_config": dict(algorithm), **changed}


def classifier(*problems: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A file that has MNIST classified."""
    experiment = {
        "name": "ten in a cycle",
        "data_split_type": "hetero",
        "loss": "NLL",
        "graph": {"num_nodes": 10, "type": "cycle"},
        "model": {"num_filters": 3, "kernel_size": 5, "linear_width": 64},
        **changed,
    }
    return {"experiment": experiment, "problem_configs": {f"p{at}": each for at, each in enumerate(problems)}}


def mapping(*problems: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A file that has seven robots map a flat while they drive."""
    data = {
        "split_type": "trajectory",
        "num_scans_in_window": 800,
        "num_beams": 20,
        "beam_samps": 25,
        "beam_length": 0.2,
        "collision_samps": 50,
        "fine_samps": 3,
        "border_width": 30,
        "spline_res": 30,
        "num_validation_scans": 500,
    }
    experiment = {
        "name": "seven robots",
        "data": data,
        "loss": "BCE",
        "model": {"shape": [2, 256, 64, 64, 64, 1], "scale": 0.05},
        **changed,
    }
    sections = {f"p{at}": {"comm_radius": 1500.0, **each} for at, each in enumerate(problems)}
    return {"experiment": experiment, "problem_configs": sections}
