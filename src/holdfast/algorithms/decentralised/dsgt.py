"""Decentralised stochastic gradient tracking."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.algorithms.decentralised.steps import Tracking, moved
from holdfast.cohort import Cohort
from holdfast.message import Message
from holdfast.types import State

__all__ = ["DSGT"]


class DSGT(Tracking):
    r"""Gradient tracking: step along an estimate of the mean gradient of all nodes, instead of along the own.

    .. math::
        x_i^+ &= \sum_j W_{ij} (x_j - \alpha y_j) \\
        y_i^+ &= \sum_j W_{ij} y_j + g_i(x_i^+) - g_i(x_i)

    each g on the batch of its own round. As the mean of the y is that of the gradients, there is no bias: with full
    gradients every node comes to the minimum of the mean loss. y starts at g(x⁰), or at 0, with which the first round
    only mixes. A node sends two rows.

    Source: Pu & Nedić 2021, "Distributed Stochastic Gradient Tracking Methods", equation 5.

    Example:
        >>> DSGT(lr=0.005).init_grads
        True
    """

    lr: float = Field(0.1, gt=0, description="the learning rate α")
    init_grads: bool = Field(True, description="whether y starts at the first gradient, and not at 0")

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The models, nothing followed yet, and who begins with a gradient."""
        begun_K = torch.full((len(x_KD),), self.init_grads, device=x_KD.device)
        return {**super().start_nodes(x_KD, cohort), "begun": begun_K}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """Follow the gradient, and step along what follows it."""
        gradient_KD, losses_K = self.gradient(cohort, node["x"])
        begun_K1 = node["begun"].unsqueeze(1)
        node = self.follow(node, gradient_KD[:, : node["y"].shape[1]].where(begun_K1, 0))
        said = {"x": moved(node["x"], gradient_KD, self.lr * node["y"]), "y": node["y"]}
        return {**node, "begun": torch.ones_like(node["begun"])}, Message(said, cohort.samples(), losses_K)
