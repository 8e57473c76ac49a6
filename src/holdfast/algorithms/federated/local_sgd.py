"""What algorithms share whose formulae rest on how many steps of plain gradient descent a node has taken."""

from __future__ import annotations

import torch
from torch import Tensor

from holdfast.algorithms.base import LocalTraining
from holdfast.cohort import Cohort
from holdfast.errors import InputError
from holdfast.optimizer import Optimizer

__all__ = ["refuse_other_than_sgd", "steps_taken"]


def refuse_other_than_sgd(optimizer: Optimizer, *allowed: str) -> None:
    """Refuse an optimiser whose steps are not the gradient's, as far as `weight_decay` and what is allowed go.

    Raises:
        InputError: it is another one, or has an option that changes its steps.

    Example:
        >>> refuse_other_than_sgd(Optimizer(name="sgd", momentum=0.9), "momentum")
        >>> refuse_other_than_sgd(Optimizer(name="adam", lr=0.01))
        Traceback (most recent call last):
        holdfast.errors.InputError: optimizer must be sgd without options that change its steps, \
but 'adam' was given. Write optimizer: {name: sgd, lr: 0.1}; allowed beside it: weight_decay.
    """
    options = {key: value for key, value in (optimizer.model_extra or {}).items() if value}
    others = sorted(set(options) - {"weight_decay", *allowed})
    if optimizer.name != "sgd" or others:
        required = "be sgd without options that change its steps"
        given = {key: options[key] for key in others} if optimizer.name == "sgd" else optimizer.name
        remedy = f"Write optimizer: {{name: sgd, lr: 0.1}}; allowed beside it: {', '.join([*allowed, 'weight_decay'])}."
        raise InputError("optimizer", required, given, remedy)


def steps_taken(training: LocalTraining, cohort: Cohort) -> Tensor:
    """(K,) float32: on how many batches each node trains in this round."""
    epochs = training.local_epochs or (None if training.local_steps else 1)
    steps_K = cohort.steps(epochs, training.local_steps, training.batch_size)
    return torch.from_numpy(steps_K).to(cohort.engine.device, torch.float32)
