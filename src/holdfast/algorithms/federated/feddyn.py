"""Federated learning with dynamic regularisation."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from holdfast.algorithms.base import LocalTraining, ServerAlgorithm
from holdfast.cohort import Cohort
from holdfast.inbox import ServerInbox
from holdfast.layout import Layout
from holdfast.message import Message
from holdfast.types import State

__all__ = ["FedDyn"]


class FedDyn(LocalTraining, ServerAlgorithm):
    r"""Dynamic regularisation: each node's objective is bent so that its own minimum becomes the common one.

    Node i keeps g_i, the gradient of its loss F_i where it last stood, and the coordinator h, both 0 at first. Each of
    the nodes S that are heard, of N in all, minimises by local training from the model x

    .. math::
        y_i &\approx \arg\min_y F_i(y) - \langle g_i, y \rangle + \tfrac{\alpha}{2}\lVert y - x \rVert^2, \qquad
        g_i \leftarrow g_i - \alpha (y_i - x) \\
        h &\leftarrow h - \frac{\alpha}{N} \sum_{i \in S} (y_i - x), \qquad
        x \leftarrow \frac{1}{|S|} \sum_{i \in S} y_i - \frac{h}{\alpha}

    Every node counts alike unless `weighting` says otherwise. The bytes are FedAvg's. As -h/α adds up all the updates
    so far, too little local training, or too small an α, makes the model swing about its goal before it comes to rest.
    A node that the trigger keeps silent keeps its old g_i.

    Source: Acar et al. 2021, "Federated Learning Based on Dynamic Regularization", Algorithm 1.

    Example:
        >>> FedDyn(alpha=0.05, local_epochs=5).alpha
        0.05
    """

    says: ClassVar[tuple[str, ...]] = ("update",)
    remembers: ClassVar[bool] = True

    weighting: Literal["samples", "uniform", "loss", "inverse_loss"] = Field(
        "uniform",
        description="what a node weighs in the mean: 1, its number of samples, or the softmax of its training loss or "
        "of the negative loss",
    )
    alpha: float = Field(0.1, gt=0, description="α, how strongly a node is held to the broadcast model, per unit of x")

    def start(self, x_D: Tensor, layout: Layout) -> State:
        """The model and h, which remains 0 in the columns of the buffers."""
        return {"x": x_D, "h": torch.zeros_like(x_D)}

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """Each g_i."""
        return {"gradient": torch.zeros_like(x_KD, memory_format=torch.contiguous_format)}

    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        """Train with both penalties, and say how far that went."""
        x_KD, gradient_KD = message["x"], node["gradient"]
        y_KD, losses_K = self.train(
            cohort, x_KD, lambda y_CD, rows: self.alpha * (y_CD - x_KD[rows]) - gradient_KD[rows]
        )
        update_KD = y_KD - x_KD
        return {**node, "update": update_KD}, Message({"update": update_KD}, cohort.samples(), losses_K)

    def local_models(self, said: Message, heard: Message) -> Tensor:
        """The broadcast moved by each node's update."""
        return heard["x"] + said["update"]

    def spoke(self, node: State, speaks_K: Tensor) -> State:
        """Who speaks goes over to its new g_i."""
        update_KD = node["update"].where(speaks_K.to(node["update"].device).unsqueeze(1), 0)
        return {"gradient": node["gradient"] - self.alpha * update_KD}

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """The combined model, moved on by what h has gathered."""
        update_D, p = inbox.combined["update"], inbox.parameters
        h_D = server["h"].clone()
        h_D[:p] -= self.alpha * len(inbox.nodes_M) / inbox.population * update_D[:p]
        return {"x": server["x"] + update_D - h_D / self.alpha, "h": h_D}
