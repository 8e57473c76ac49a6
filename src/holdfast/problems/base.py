"""The contract of problems: what is learned, from which data, judged how."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from holdfast.component import Component
from holdfast.errors import InputError
from holdfast.problems.losses import PerSample, accuracy, cross_entropy, hinge

__all__ = ["Classification", "Problem", "Task", "accuracy", "cross_entropy"]


@dataclass(frozen=True)
class Task:
    """A loaded problem: a model to train, training and test samples, a loss and metrics.

    Args:
        model: makes a freshly initialised network.
        train: inputs (S, …) and targets (S,) or (S, outputs) of the training samples.
        test: the same of the test samples.
        loss: one loss a sample.
        metrics: by name, one number a sample, averaged over the samples; greater is better.
        classes: how many classes there are; ``None`` in a regression.

    Raises:
        InputError: inputs and targets differ in number, there are none, or labels lie outside the classes.

    Example:
        >>> import torch
        >>> x, y = torch.randn(8, 3), torch.randint(2, (8,))
        >>> task = Task(model=lambda: nn.Linear(3, 2), train=(x, y), test=(x, y), classes=2)
        >>> sorted(task.metrics)
        ['accuracy']
    """

    model: Callable[[], nn.Module]
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    loss: PerSample = cross_entropy
    metrics: Mapping[str, PerSample] = field(default_factory=lambda: {"accuracy": accuracy})
    classes: int | None = None

    def __post_init__(self) -> None:
        for name, (inputs, targets) in {"train": self.train, "test": self.test}.items():
            if len(inputs) != len(targets) or not len(inputs):
                given = f"{len(inputs)} inputs and {len(targets)} targets"
                raise InputError(f"problem.{name}", "hold as many inputs as targets, and some", given, "Mend the data.")
            if self.classes is not None:
                _check_labels(name, targets, self.classes)


def _check_labels(name: str, targets: Tensor, classes: int) -> None:
    if targets.is_floating_point() or targets.ndim != 1:
        given = f"{targets.dtype} of shape {tuple(targets.shape)}"
        raise InputError(f"problem.{name}", "have one integer label a sample", given, "Convert the labels to int64.")
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= classes:
        remedy = "Relabel the samples from 0, or say how many classes there are."
        raise InputError(f"problem.{name}", f"have labels in 0..{classes - 1}", f"labels {low}..{high}", remedy)


class Problem(Component):
    """Loads a `Task`. Your own is a subclass with one method, named ``module:Class`` in an experiment file."""

    family: ClassVar[str] = "problems"

    @abstractmethod
    def load(self, data_dir: Path | None = None) -> Task:
        """The task, with its data in memory.

        Args:
            data_dir: the folder of data sets that the user named, if any.

        Raises:
            InputError: the data are missing or damaged.
        """


class Classification(Problem):
    """A problem whose targets are classes, with a choice of the loss.

    With the loss ``hinge``, the model `logistic` and a penalty `l2` in the algorithm it is the linear support vector
    machine: λ‖w‖² plus the mean hinge loss. The metric is the accuracy with either loss.
    """

    loss: Literal["cross_entropy", "hinge"] = Field(
        "cross_entropy", description="what training makes small: cross_entropy (in nats) or hinge (in scores)"
    )

    @property
    def per_sample(self) -> PerSample:
        """The loss, one number a sample."""
        return {"cross_entropy": cross_entropy, "hinge": hinge}[self.loss]
