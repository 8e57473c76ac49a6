"""Federated averaging with control variates."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from holdfast.algorithms.base import LocalTraining, ServerAlgorithm
from holdfast.algorithms.federated.fedopt import moved
from holdfast.algorithms.federated.local_sgd import refuse_other_than_sgd, steps_taken
from holdfast.cohort import Cohort
from holdfast.inbox import ServerInbox
from holdfast.layout import Layout
from holdfast.message import Message
from holdfast.types import State

__all__ = ["Scaffold"]


class Scaffold(LocalTraining, ServerAlgorithm):
    r"""Stochastic controlled averaging: nodes correct their steps by how their gradients differ from everybody's.

    Node i keeps a control variate c_i, the coordinator their mean c over all N nodes. From the model x a node takes
    K_i steps with learning rate η, and of the set S that is heard the coordinator makes

    .. math::
        y_i &\leftarrow y_i - \eta\,(g_i(y_i) - c_i + c) \\
        c_i^+ &= c_i - c + \frac{x - y_i}{K_i\,\eta} \\
        x &\leftarrow x + \frac{\eta_g}{|S|} \sum_{i \in S} (y_i - x), \qquad
        c \leftarrow c + \frac{|S|}{N} \cdot \frac{1}{|S|} \sum_{i \in S} (c_i^+ - c_i)

    Every node counts alike unless `weighting` says otherwise. An update and a change of the control variate go up, the
    model and c go down: twice FedAvg's bytes. A node that the trigger keeps silent keeps its old c_i, so that c remains
    their mean; where a message is lost it does not.

    Raises:
        InputError: the optimiser is another than plain gradient descent, for which the second line is not the mean of
            the gradients.

    Source: Karimireddy et al. 2020, "SCAFFOLD: Stochastic Controlled Averaging for Federated Learning", Algorithm 1
    with option II.

    Example:
        >>> Scaffold(local_steps=10, server_lr=0.5).server_lr
        0.5
    """

    says: ClassVar[tuple[str, ...]] = ("update", "control")

    weighting: Literal["samples", "uniform", "loss", "inverse_loss"] = Field(
        "uniform",
        description="what a node weighs in the mean: 1, its number of samples, or the softmax of its training loss or "
        "of the negative loss",
    )
    server_lr: float = Field(1.0, gt=0, description="η_g, how far the coordinator goes along the mean update")

    @model_validator(mode="after")
    def _plain(self) -> Scaffold:
        refuse_other_than_sgd(self.optimizer)
        return self

    def start(self, x_D: Tensor, layout: Layout) -> State:
        """The model and c, which is 0 at first and remains so in the columns of the buffers."""
        return {"x": x_D, "control": torch.zeros_like(x_D)}

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """Each c_i, 0 at first."""
        return {"control": torch.zeros_like(x_KD, memory_format=torch.contiguous_format)}

    def broadcast(self, server: State) -> Message:
        """The model and c."""
        return Message({"x": server["x"], "control": server["control"]})

    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        """Train with corrected gradients, and say how far that went and how c_i changes."""
        x_KD = message["x"]
        correction_KD = message["control"] - node["control"]
        y_KD, losses_K = self.train(cohort, x_KD, lambda _, rows: correction_KD[rows])
        rates_K1 = steps_taken(self, cohort).unsqueeze(1) * self.optimizer.at(cohort.round - 1).lr
        change_KD = (x_KD - y_KD) / rates_K1 - message["control"]
        change_KD[:, cohort.engine.layout.parameters :] = 0
        said = {"update": y_KD - x_KD, "control": change_KD}
        return {**node, "change": change_KD}, Message(said, cohort.samples(), losses_K)

    def local_models(self, said: Message, heard: Message) -> Tensor:
        """The broadcast moved by each node's update."""
        return heard["x"] + said["update"]

    def spoke(self, node: State, speaks_K: Tensor) -> State:
        """Who speaks goes over to its new c_i."""
        change_KD = node["change"].where(speaks_K.to(node["change"].device).unsqueeze(1), 0)
        return {"control": node["control"] + change_KD}

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """Move the model by the combined update, and c by those of all nodes that are heard."""
        update_D = inbox.combined["update"]
        x_D = moved(server["x"], update_D, self.server_lr * update_D[: inbox.parameters])
        share = len(inbox.nodes_M) / inbox.population
        return {"x": x_D, "control": server["control"] + share * inbox.combined["control"]}
