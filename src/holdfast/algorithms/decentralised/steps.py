"""What the algorithms among peers share: a gradient a round, how it moves a row, and gradient tracking."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.algorithms.base import PeerAlgorithm
from holdfast.batches import batches_per_epoch
from holdfast.cohort import Cohort
from holdfast.component import Component
from holdfast.inbox import PeerInbox
from holdfast.layout import Layout
from holdfast.types import FloatArray, IntArray, State

__all__ = ["GradientStep", "Tracking", "moved"]


class GradientStep(Component):
    """The hyperparameters of one gradient a round."""

    batch_size: int | None = Field(32, ge=1, description="samples in a batch; null takes all samples of the node")
    clip_norm: float | None = Field(None, gt=0, description="greatest Euclidean norm of a node's gradient")

    def effort(self, sizes_K: IntArray) -> FloatArray:
        """(K,) on how many samples nodes with so many work in a round: one batch, the mean of an epoch's."""
        return sizes_K / batches_per_epoch(sizes_K, self.batch_size)

    def gradient(self, cohort: Cohort, x_KD: Tensor) -> tuple[Tensor, Tensor]:
        """(K, D) the gradients on the batch of the round, and the (K,) losses; see `Cohort.gradient`."""
        return cohort.gradient(x_KD, batch_size=self.batch_size, clip_norm=self.clip_norm)


class Tracking(GradientStep, PeerAlgorithm):
    r"""Gradient tracking: beside its model each node has a y_i that follows the mean gradient of all nodes.

    :math:`y_i = \tilde y_i + v_i - v_i^-`, where v_i is the node's gradient, :math:`v_i^-` that of its last round, and
    :math:`\tilde y_i` what became of the last y when it was mixed. So the mean of the y is the mean of the v,
    as long as mixing keeps the mean: a row that a link loses one way shifts it.
    """

    says: ClassVar[tuple[str, ...]] = ("x", "y")
    balanced: ClassVar[bool] = True

    def widths(self, layout: Layout) -> dict[str, int]:
        """Only parameters have a gradient to follow."""
        return {"x": layout.columns, "y": layout.parameters}

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The models; nothing has been followed yet."""
        zero_KP = x_KD.new_zeros(len(x_KD), cohort.engine.layout.parameters)
        return {"x": x_KD, "y": zero_KP, "last": zero_KP}

    def follow(self, node: State, gradient_KP: Tensor) -> State:
        """The nodes' state with y, once the gradient is this."""
        return {**node, "y": node["y"] + gradient_KP - node["last"], "last": gradient_KP}

    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        """Mix the models, which have made their step, and what follows the mean gradient."""
        return {**node, "x": inbox.mix("x"), "y": inbox.mix("y")}


def moved(x_KD: Tensor, gradient_KD: Tensor, step_KP: Tensor) -> Tensor:
    """(K, D) rows less a step of their parameters; buffers, which have no gradient, less their plain decrease.

    Example:
        >>> x_KD, gradient_KD = torch.tensor([[5.0, 5.0]]), torch.tensor([[7.0, 3.0]])
        >>> moved(x_KD, gradient_KD, torch.tensor([[1.0]])).tolist()
        [[4.0, 2.0]]
    """
    p = step_KP.shape[1]
    if p == x_KD.shape[1]:
        return x_KD - step_KP
    return torch.cat([x_KD[:, :p] - step_KP, x_KD[:, p:] - gradient_KD[:, p:]], dim=1)
