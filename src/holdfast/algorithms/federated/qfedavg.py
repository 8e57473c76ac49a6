"""Fair federated averaging."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from holdfast.algorithms.base import LocalTraining, ServerAlgorithm
from holdfast.algorithms.federated.fedopt import moved
from holdfast.cohort import Cohort
from holdfast.inbox import ServerInbox
from holdfast.layout import Layout
from holdfast.message import Message
from holdfast.types import FloatArray, IntArray, State

__all__ = ["QFedAvg"]

LEAST_LOSS = 1e-10
"""What a loss of 0 counts as, by which nothing can be divided."""


class QFedAvg(LocalTraining, ServerAlgorithm):
    r"""Averaging that attends to whom the model serves badly: nodes count by their loss to the power of q.

    It minimises :math:`\sum_i p_i F_i^{q+1} / (q+1)`, with F_i the loss of node i and p_i its share of samples. With
    y_i what local training at learning rate η makes of the model x, and L = 1/η in place of the greatest curvature,

    .. math::
        w_i = p_i F_i^q(x), \qquad h_i = 1 + \frac{q L}{F_i(x)} \lVert y_i - x \rVert^2, \qquad
        x \leftarrow x + \frac{\sum_i w_i (y_i - x)}{\sum_i w_i h_i}

    With q = 0 it is FedAvg. F_i(x) is the loss of the broadcast over all samples of the node, which takes one pass
    forward over them in each round beside the training. A node states w_i as its weight: under a rule that heeds no
    weights, q only makes the steps shorter.

    Source: Li et al. 2020, "Fair Resource Allocation in Federated Learning", Algorithm 2, of which numerator and
    denominator are divided by L here.

    Example:
        >>> QFedAvg(q=2, local_epochs=1).q
        2.0
    """

    says: ClassVar[tuple[str, ...]] = ("update", "curvature")
    counts: ClassVar[bool] = False

    q: float = Field(1.0, ge=0, description="q, the power of the losses: 0 for FedAvg, more for more fairness")

    def effort(self, sizes_K: IntArray) -> FloatArray:
        """(K,) FedAvg's, and a pass forward over all samples, which is a third of one that trains on them."""
        return super().effort(sizes_K) + sizes_K / 3

    def widths(self, layout: Layout) -> dict[str, int]:
        """Beside the update a single number, h_i."""
        return {"update": layout.columns, "curvature": 1}

    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        """Judge the broadcast and train from it, and say the update, h_i and w_i."""
        x_KD, lr = message["x"], self.optimizer.at(cohort.round - 1).lr
        own_K = cohort.evaluate_local(x_KD[:1], poisoned=True)["loss"].to(x_KD).clamp(min=LEAST_LOSS)
        y_KD, losses_K = self.train(cohort, x_KD)
        update_KD = y_KD - x_KD
        squares_K = update_KD[:, : cohort.engine.layout.parameters].square().sum(1)
        said = {"update": update_KD, "curvature": (1 + self.q * squares_K / (lr * own_K)).unsqueeze(1)}
        return node, Message(said, cohort.samples() * own_K**self.q, losses_K)

    def local_models(self, said: Message, heard: Message) -> Tensor:
        """The broadcast moved by each node's update."""
        return heard["x"] + said["update"]

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """Divide the combined update by the combined h, which only liars can bring below 1."""
        rate = 1 / inbox.combined["curvature"].clamp(min=1)
        update_D = inbox.combined["update"]
        return {"x": moved(server["x"], update_D, rate * update_D[: inbox.parameters])}
