"""The proximal primal-dual algorithm, linearised."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.algorithms.base import Links, PeerAlgorithm
from holdfast.algorithms.decentralised.steps import GradientStep
from holdfast.cohort import Cohort
from holdfast.inbox import PeerInbox
from holdfast.message import Message
from holdfast.types import State

__all__ = ["ProxPDA"]


class ProxPDA(GradientStep, PeerAlgorithm):
    r"""Prox-GPDA: an augmented Lagrangian of the links' agreement, minimised by one gradient step a round.

    Over the d_i neighbours j that were heard, with p = 0 at first,

    .. math::
        x_i^+ = \frac{\beta \sum_j (x_i + x_j) - \nabla f_i - p_i}{2 \beta d_i}, \qquad
        p_i^+ = p_i + \beta \sum_j (x_i^+ - x_j^+)

    where x⁺ of the neighbours is what they send in the next round. 1/(2βd_i) is the learning rate. With full gradients
    every node comes to the minimum of the mean loss. `dinno` minimises each round's sum exactly instead, where its
    inner optimiser does. Who hears nobody waits. Links must deliver both ways or not at all: a p_i that one end alone
    has changed stays wrong.

    Source: Hong, Hajinezhad & Zhao 2017, "Prox-PDA: The Proximal Primal-Dual Algorithm for Fast Distributed Nonconvex
    Optimization and Learning Over Networks", Algorithm 2 (Prox-GPDA) with B = \|A\|.

    Example:
        >>> ProxPDA(beta=2.0).beta
        2.0
    """

    needs: ClassVar[Links] = "both ways"
    balanced: ClassVar[bool] = True

    beta: float = Field(1.0, gt=0, description="β, the penalty on the links' disagreement")

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The models, their gradients to come, and duals of 0."""
        zero_KP = x_KD.new_zeros(len(x_KD), cohort.engine.layout.parameters)
        return {"x": x_KD, "gradient": x_KD.new_zeros(x_KD.shape), "dual": zero_KP}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """The gradient at the round's start, and the model."""
        gradient_KD, losses_K = self.gradient(cohort, node["x"])
        return {**node, "gradient": gradient_KD}, Message({"x": node["x"]}, cohort.samples(), losses_K)

    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        """The dual of where the models are, then the models; buffers take the neighbourhood's mean and their move."""
        x_KD, gradient_KD, apart_KD = node["x"], node["gradient"], inbox.apart("x")
        p, degree_K1 = node["dual"].shape[1], torch.from_numpy(inbox.degrees_K).to(x_KD).unsqueeze(1)
        dual_KP = node["dual"] + self.beta * apart_KD[:, :p]
        rate_K1 = torch.where(degree_K1 > 0, 1 / (2 * self.beta * degree_K1), 0)
        parameters_KP = x_KD[:, :p] - rate_K1 * (self.beta * apart_KD[:, :p] + gradient_KD[:, :p] + dual_KP)
        buffers = x_KD[:, p:] - apart_KD[:, p:] / (1 + degree_K1) - gradient_KD[:, p:]
        return {**node, "x": torch.cat([parameters_KP, buffers], dim=1), "dual": dual_KP}
