"""Elastic averaging: every node keeps its own model, which a spring holds to the mean."""

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

__all__ = ["ElasticAveraging"]


class ElasticAveraging(LocalTraining, ServerAlgorithm):
    r"""Every node trains a model of its own, which is pulled elastically to the mean of all.

    No broadcast overwrites the model x_i of node i. With the coordinator's model w, each of its local steps is

    .. math:: x_i \leftarrow (1 - \mu \eta) x_i - \eta \nabla F_i(x_i) + \mu \eta w

    so that μ(x_i - w) is added to its gradient, and w becomes the mean of the nodes' models, weighted by their samples,
    or what the aggregation rule of the experiment makes of them. A node begins from the first w that it is sent. With
    μ = 0 nodes train alone and w is only looked at; ``personal_*`` metrics judge the nodes' own models.

    Source: Zhang, Choromanska & LeCun 2015, "Deep Learning with Elastic Averaging SGD", equation 2, with the mean
    itself in place of their moving one; ``mu_g`` of the program fault-tolerant-ml.

    Example:
        >>> ElasticAveraging(mu=0.5, local_steps=10).mu
        0.5
    """

    says: ClassVar[tuple[str, ...]] = ("update",)

    mu: float = Field(0.1, ge=0, description="the strength μ of the pull towards the mean of all nodes' models")

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """Each node's own model, and whether it has one yet."""
        return {"x": x_KD, "begun": torch.zeros(len(x_KD), dtype=torch.bool, device=x_KD.device)}

    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        """Train the own model, pulled towards the broadcast, and say how far it is from the broadcast."""
        w_KD = message["x"]
        x_KD, losses_K = self.train(cohort, self.personal(node, w_KD), lambda x_CD, rows: self.mu * (x_CD - w_KD[rows]))
        kept = {"x": x_KD, "begun": torch.ones_like(node["begun"])}
        return kept, Message({"update": x_KD - w_KD}, cohort.samples(), losses_K)

    def local_models(self, said: Message, heard: Message) -> Tensor:
        """The nodes' own models."""
        return heard["x"] + said["update"]

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """Move to the mean of the nodes' models."""
        return {"x": server["x"] + inbox.combined["update"]}

    def personal(self, node: State, x_KD: Tensor) -> Tensor:
        """The nodes' own models; the coordinator's for a node that has not begun."""
        return torch.where(node["begun"].unsqueeze(1), node["x"], x_KD)
