"""Federated averaging."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.algorithms.base import LocalTraining, ServerAlgorithm
from holdfast.cohort import Cohort
from holdfast.inbox import ServerInbox
from holdfast.message import Message
from holdfast.types import State

__all__ = ["FedAvg"]


class FedAvg(LocalTraining, ServerAlgorithm):
    r"""Federated averaging: nodes train the model locally, the coordinator averages what became of it.

    Each node asked starts from the model x, trains to y_i, and sends its update y_i - x; with n_i samples,

    .. math:: x \leftarrow x + \sum_i \frac{n_i}{\sum_j n_j} (y_i - x)

    or the aggregation rule of the experiment in place of the weighted mean.

    Source: McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from Decentralized Data",
    Algorithm 1.

    Example:
        >>> FedAvg(local_epochs=2, batch_size=10).optimizer.lr
        0.1
    """

    says: ClassVar[tuple[str, ...]] = ("update",)

    keep_local: bool = Field(
        False,
        description="whether a node that the trigger kept silent goes on from its own model in the next round, instead "
        "of losing its work to the broadcast; costs the memory of one model a node",
    )

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """Each node's own model, and whether it holds work that it has not sent."""
        if not self.keep_local:
            return {}
        return {"x": x_KD, "unsent": torch.zeros(len(x_KD), dtype=torch.bool, device=x_KD.device)}

    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        """Train from the broadcast, or from the own unsent model, and say how far that is from the broadcast."""
        x_KD = message["x"]
        start_KD = torch.where(node["unsent"].unsqueeze(1), node["x"], x_KD) if self.keep_local else x_KD
        node, y_KD, losses_K = self.work(node, start_KD, x_KD, cohort)
        kept = {**node, "x": y_KD} if self.keep_local else node
        return kept, Message({"update": y_KD - x_KD}, cohort.samples(), losses_K)

    def work(self, node: State, start_KD: Tensor, x_KD: Tensor, cohort: Cohort) -> tuple[State, Tensor, Tensor]:
        """The nodes' state, their (K, D) trained rows and (K,) losses.

        Args:
            node: the nodes' state, one row for each.
            start_KD: (K, D) where they start.
            x_KD: (K, D) the broadcast.
            cohort: the nodes and the means to compute.
        """
        return node, *self.train(cohort, start_KD)

    def local_models(self, said: Message, heard: Message) -> Tensor:
        """The broadcast moved by each node's update."""
        return heard["x"] + said["update"]

    def spoke(self, node: State, speaks_K: Tensor) -> State:
        """Who stayed silent holds unsent work."""
        return {**node, "unsent": ~speaks_K.to(node["x"].device)} if self.keep_local else node

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """Move the model by the combined update."""
        return {"x": server["x"] + inbox.combined["update"]}
