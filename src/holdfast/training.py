"""Local training of a block of rows: the gradient of the whole objective, and one optimiser step after another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypedDict

import torch
from torch import Tensor, nn

from holdfast.engines import Batch, Engine, Gradients
from holdfast.optimizer import Optimizer, RowOptimizer
from holdfast.types import ExtraGradient, Rows, State

__all__ = ["Objective", "Training", "train_block"]


class Training(TypedDict, total=False):
    """The keywords of `Cohort.train` and `Cohort.train_on`, which explains them."""

    epochs: int | None
    steps: int | None
    batch_size: int | None
    extra_gradient: ExtraGradient | None
    clip_norm: float | None
    clip_value: float | None
    l1: float
    l2: float


@dataclass(frozen=True)
class Objective:
    """What is added to the gradient of the loss, and how the sum is clipped; see `Cohort.train_on`."""

    extra_gradient: ExtraGradient | None
    clip_norm: float | None
    clip_value: float | None
    l1: float
    l2: float

    def gradients(
        self, engine: Engine, views: dict[str, Tensor], batch: Batch, extra_CD: Tensor | None = None
    ) -> Gradients:
        """The engine's gradients with penalties and the extra term, clipped by value and then by norm."""
        found = engine.gradients(views, batch)
        engine.batches += 1
        extra = engine.layout.views(extra_CD) if extra_CD is not None else {}
        gradients = {}
        for name, gradient in found.parameters.items():  # never in place: autograd may hand out one tensor twice
            if self.l1:
                gradient = gradient.add(views[name].sign(), alpha=self.l1)
            if self.l2:
                gradient = gradient.add(views[name], alpha=2 * self.l2)
            if extra:
                gradient = gradient.add(extra[name])
            if self.clip_value is not None:
                gradient = gradient.clamp(-self.clip_value, self.clip_value)
            gradients[name] = gradient
        if self.clip_norm is not None:
            gradients = _clip_norm(gradients, self.clip_norm)
        return replace(found, parameters=gradients)


def _clip_norm(gradients: dict[str, Tensor], greatest: float) -> dict[str, Tensor]:
    """The gradients, each row's scaled to at most a Euclidean norm."""
    squares_C = torch.stack([g.reshape(len(g), -1).square().sum(1) for g in gradients.values()]).sum(0)
    factor_C = (greatest / (squares_C.sqrt() + 1e-6)).clamp(max=1.0)
    return {name: g * factor_C.view(-1, *[1] * (g.ndim - 1)) for name, g in gradients.items()}


def train_block(
    engine: Engine,
    start_CD: Tensor,
    rows: Rows,
    batches: Iterator[Batch],
    optimizer: Optimizer,
    objective: Objective,
    memory: State,
) -> tuple[Tensor, Tensor]:
    """The trained rows of one chunk and their mean losses; the batches cover ever fewer of its first rows.

    Args:
        engine: how gradients are computed.
        start_CD: (C, D) where the rows start.
        rows: which rows of the cohort they are.
        batches: of each step.
        optimizer: applied to the parameters.
        objective: what is minimised.
        memory: of the rows, brought up to date; empty where nothing is to be remembered.
    """
    x_CD = start_CD.clone(memory_format=torch.contiguous_format)
    views = engine.layout.views(x_CD)
    stepper = RowOptimizer(optimizer, [views[name] for name in engine.layout.parameter_names], memory)
    losses: list[Tensor] = []
    for batch in batches:
        active = len(batch.counts)
        some = views if active == len(x_CD) else {name: view[:active] for name, view in views.items()}
        extra = objective.extra_gradient
        extra_CD = extra(x_CD[:active], _first(rows, active)) if extra else None
        found = objective.gradients(engine, some, batch, extra_CD)
        stepper.shrink(active)
        stepper.step(list(found.parameters.values()))
        for name, buffer in found.buffers.items():
            some[name].copy_(buffer)
        losses.append(found.losses_C)
    stepper.remember(slice(0, stepper.active))
    return x_CD, _mean_of_each(losses, len(x_CD))


def _mean_of_each(losses: list[Tensor], rows: int) -> Tensor:
    """(C,) the mean of what there is of each row, in lists that grow shorter."""
    padded = [loss if len(loss) == rows else nn.functional.pad(loss, (0, rows - len(loss))) for loss in losses]
    counts_C = (torch.tensor([len(loss) for loss in losses]).unsqueeze(1) > torch.arange(rows)).sum(0)
    return torch.stack(padded).sum(0) / counts_C.to(padded[0])


def _first(rows: Rows, count: int) -> Rows:
    return slice(rows.start, rows.start + count) if isinstance(rows, slice) else rows[:count]
