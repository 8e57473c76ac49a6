"""Handwritten digits, 8x8, that install with scikit-learn."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from sklearn.datasets import load_digits

from holdfast.catalogue import Choice
from holdfast.models.base import Model
from holdfast.models.mlp import Mlp
from holdfast.problems.base import Classification, Task
from holdfast.seeding import generator

__all__ = ["Digits"]


class Digits(Classification):
    """The 1,797 handwritten digits of 8x8 pixels in ten classes that install with scikit-learn.

    The images are (S, 1, 8, 8), float32 in [0, 1]: the pixels 0..16 divided by 16. Which samples are held out
    for testing depends on nothing but `test_fraction`, so experiments with different seeds are judged on the
    same ones.

    Raises:
        InputError: a field is out of bounds.

    Example:
        >>> task = Digits(test_fraction=0.2).load()
        >>> len(task.train[1]), len(task.test[1]), tuple(task.train[0].shape[1:])
        (1438, 359, (1, 8, 8))

    Source: Alpaydin & Kaynak, "Optical recognition of handwritten digits", UCI Machine Learning Repository,
    1998 (its test part).
    """

    model: Annotated[Model, Choice(Model)] = Field(Mlp(), description="the network to train, a model")
    test_fraction: float = Field(
        0.2, ge=0.001, le=0.999, description="how much is held out for testing, as a fraction of the samples"
    )

    def load(self, data_dir: Path | None = None) -> Task:
        """The task, with its data in memory; the data folder is not needed."""
        bunch = load_digits()
        images = torch.from_numpy(bunch.images).to(torch.float32)[:, None] / 16
        labels = torch.from_numpy(bunch.target).to(torch.int64)
        order = torch.randperm(len(labels), generator=generator(0, "problem.digits"))
        test, train = order.tensor_split([round(self.test_fraction * len(order))])
        return Task(
            model=partial(self.model.build, (1, 8, 8), 10),
            train=(images[train], labels[train]),
            test=(images[test], labels[test]),
            loss=self.per_sample,
            classes=10,
        )
