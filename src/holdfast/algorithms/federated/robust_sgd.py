"""Synchronous gradient steps through a robust rule."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from holdfast.algorithms.base import ServerAlgorithm
from holdfast.batches import batches_per_epoch
from holdfast.cohort import Cohort
from holdfast.inbox import ServerInbox
from holdfast.message import Message
from holdfast.optimizer import Optimizer
from holdfast.types import FloatArray, IntArray, State

__all__ = ["RobustSGD"]


class RobustSGD(ServerAlgorithm):
    r"""Distributed gradient descent: a gradient from every node, one step of the coordinator's optimiser a round.

    .. math:: x \leftarrow \mathrm{step}\bigl(x, \mathrm{rule}(g_1(x), \dots, g_n(x))\bigr)

    where g_i is the gradient over one batch of node i. With the mean as the rule this is FedSGD. The learning rate may
    follow a schedule, which counts the optimiser's steps: a round in which the inbox was too small is none.

    Source: Damaskinos et al. 2019, "AggregaThor: Byzantine Machine Learning via Robust Gradient Aggregation",
    section 2; Blanchard et al. 2017, section 2.

    Example:
        >>> RobustSGD(batch_size=64, optimizer={"name": "adam", "lr": 0.001}).optimizer.name
        'adam'
    """

    says: ClassVar[tuple[str, ...]] = ("gradient",)

    batch_size: int | None = Field(32, ge=1, description="samples in a batch; null takes all samples of the node")
    optimizer: Optimizer = Field(
        Optimizer(name="sgd", lr=0.1), description="the coordinator's optimiser, of torch.optim"
    )
    clip_norm: float | None = Field(None, gt=0, description="greatest Euclidean norm of a node's gradient")
    clip_value: float | None = Field(None, gt=0, description="greatest absolute value of a gradient's element")
    l1: float = Field(0.0, ge=0, description="λ of the penalty λΣ|w|")
    l2: float = Field(0.0, ge=0, description="λ of the penalty λΣw²")

    def effort(self, sizes_K: IntArray) -> FloatArray:
        """(K,) the samples of one batch, the mean of an epoch's."""
        return sizes_K / batches_per_epoch(sizes_K, self.batch_size)

    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        """The gradient of one batch."""
        gradient_KD, losses_K = cohort.gradient(
            message["x"],
            batch_size=self.batch_size,
            clip_norm=self.clip_norm,
            clip_value=self.clip_value,
            l1=self.l1,
            l2=self.l2,
        )
        return node, Message({"gradient": gradient_KD}, cohort.samples(), losses_K)

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """One optimiser step along the combined gradient; buffers move by their combined decrease."""
        memory = {name.partition(".")[2]: value for name, value in server.items() if name.startswith("optimizer.")}
        x_D, gradient_D = server["x"], inbox.combined["gradient"]
        memory, new_D = self.optimizer.step(memory, x_D, gradient_D)
        p = inbox.parameters
        new_D[p:] = x_D[p:] - gradient_D[p:]
        return {"x": new_D, **{f"optimizer.{name}": value for name, value in memory.items()}}
