"""Decentralised stochastic gradient descent."""

from __future__ import annotations

from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from holdfast.algorithms.base import PeerAlgorithm
from holdfast.algorithms.decentralised.steps import GradientStep
from holdfast.cohort import Cohort
from holdfast.errors import InputError
from holdfast.inbox import PeerInbox
from holdfast.message import Message
from holdfast.types import State

__all__ = ["DSGD"]


class DSGD(GradientStep, PeerAlgorithm):
    r"""Decentralised SGD: mix with the neighbours, and step along the own gradient.

    Combine then adapt: :math:`x_i^+ = \sum_j W_{ij} x_j - \alpha \nabla f_i(x_i)`; adapt then combine:
    :math:`x_i^+ = \sum_j W_{ij} (x_j - \alpha \nabla f_j(x_j))`; and in both
    :math:`\alpha \leftarrow \alpha (1 - \mu \alpha)` after each round.

    Source: Nedić & Ozdaglar 2009, "Distributed Subgradient Methods for Multi-Agent Optimization"; Chen & Sayed 2012 for
    the second order of the steps.

    Example:
        >>> DSGD(lr=0.05).order
        'combine_then_adapt'
    """

    lr: float = Field(0.1, gt=0, description="the first learning rate α")
    mu: float = Field(0.0, ge=0, description="the decay μ of the learning rate, a round")
    order: Literal["combine_then_adapt", "adapt_then_combine"] = Field(
        "combine_then_adapt", description="whether a node mixes before or after its gradient step"
    )

    @model_validator(mode="after")
    def _stays_positive(self) -> Self:
        if self.mu * self.lr > 1:
            required = f"be at most 1/lr = {1 / self.lr:g}, or the learning rate would turn negative"
            raise InputError("mu", required, self.mu, "Lower it.")
        return self

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The models, the steps to come and the learning rates."""
        lr_K = torch.full((len(x_KD),), self.lr, device=x_KD.device)
        return {"x": x_KD, "step": torch.zeros_like(x_KD), "lr": lr_K}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """The gradient at the round's start, and the row to mix."""
        gradient_KD, losses_K = self.gradient(cohort, node["x"])
        step_KD = cohort.learning_rates(node["lr"]) * gradient_KD
        said_KD = node["x"] if self.order == "combine_then_adapt" else node["x"] - step_KD
        return {**node, "step": step_KD}, Message({"x": said_KD}, cohort.samples(), losses_K)

    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        """Mix; then step, if not done before."""
        mixed_KD = inbox.mix("x")
        x_KD = mixed_KD - node["step"] if self.order == "combine_then_adapt" else mixed_KD
        lr_K = node["lr"]
        return {**node, "x": x_KD, "lr": lr_K * (1 - self.mu * lr_K)}
