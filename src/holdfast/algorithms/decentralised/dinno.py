"""Distributed neural network optimisation by consensus ADMM."""

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
from holdfast.optimizer import Optimizer
from holdfast.types import FloatArray, IntArray, State

__all__ = ["DiNNO"]

MEMORY = "memory."


class DiNNO(GradientStep, PeerAlgorithm):
    r"""DiNNO: consensus ADMM whose primal problem each node minimises by a few steps of its own optimiser.

    In round k, with :math:`\rho_k = \rho s^k` and over the neighbours j that were heard,

    .. math::
        p_i &\leftarrow p_i + \rho_k \sum_j (\theta_i - \theta_j) \\
        \theta_i &\leftarrow \arg\min_\theta \; f_i(\theta) + \langle \theta, p_i \rangle
            + \rho_k \sum_j \lVert \theta - (\theta_i + \theta_j) / 2 \rVert^2

    of which the minimum is approached from θ_i by B (``primal_iterations``) steps, each on a fresh batch. The learning
    rate may follow a schedule over the rounds, which an optimiser that goes on from round to round follows too:
    ``exponential`` with rounds K and rate end/start is the published log schedule, ``polynomial`` the linear one. If
    the minimum is met exactly and s = 1, this is Prox-PDA.

    p_i is the sum of the duals of all links that the node ever had, one row whatever its degree. That is exact on any
    graph, also one that changes, while a link delivers both ways or not at all: then Σp = 0. If links lose messages
    one way, Σp drifts and takes the common model along: `dinno_edges` does not.

    A node says the loss of its last round's steps; in the first round, that of the first model on the round's batch.

    Source: Yu, Vincent & Schwager 2022, "DiNNO: Distributed Neural Network Optimization for Multi-Robot Collaborative
    Learning", Algorithm 1.

    Example:
        >>> log = {"name": "exponential", "rounds": 2000, "rate": 0.1}
        >>> DiNNO(rho=0.5, optimizer={"name": "adam", "lr": 0.005, "schedule": log}).optimizer.at(2000).lr
        0.0005
    """

    needs: ClassVar[Links] = "both ways"
    balanced: ClassVar[bool] = True

    rho: float = Field(0.5, gt=0, description="the first ρ, the penalty on the links' disagreement")
    rho_scaling: float = Field(1.0003, ge=1, description="s, what ρ is multiplied with in every round")
    primal_iterations: int = Field(2, ge=1, description="B, steps a round")
    optimizer: Optimizer = Field(
        Optimizer(name="adam", lr=0.005), description="the nodes' optimiser of the primal problem, of torch.optim"
    )
    keep_memory: bool = Field(
        False, description="whether the optimiser goes on from what it remembers of the last round, instead of afresh"
    )

    def effort(self, sizes_K: IntArray) -> FloatArray:
        """(K,) on how many samples nodes with so many work in a round: B batches."""
        return self.primal_iterations * super().effort(sizes_K)

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The models, their losses, duals of 0, and an optimiser that remembers nothing yet."""
        x_KP = x_KD[:, : cohort.engine.layout.parameters]
        memory = self.optimizer.memory(x_KP) if self.keep_memory else {}
        kept = {f"{MEMORY}{name}": rows for name, rows in memory.items()}
        return {"x": x_KD, "loss": self.gradient(cohort, x_KD)[1], "dual": torch.zeros_like(x_KP), **kept}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """Say where the round starts."""
        return node, Message({"x": node["x"]}, cohort.samples(), node["loss"])

    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        """The duals, and then the primal problem."""
        apart_KD, p = inbox.apart("x"), cohort.engine.layout.parameters
        dual_KP = node["dual"] + self.penalty(cohort) * apart_KD[:, :p]
        return self.primal({**node, "dual": dual_KP}, dual_KP, apart_KD, inbox, cohort)

    def penalty(self, cohort: Cohort) -> float:
        """ρ of the round."""
        return float(self.rho * self.rho_scaling**cohort.round)

    def primal(self, node: State, dual_KP: Tensor, apart_KD: Tensor, inbox: PeerInbox, cohort: Cohort) -> State:
        """The steps on the primal problem, whose gradient is ∇f + p + ρΣ(θ_i - θ_j) + 2ρd(θ - θ_i).

        Args:
            node: the nodes' state.
            dual_KP: p.
            apart_KD: Σ(θ_i - θ_j).
            inbox: who was heard.
            cohort: the nodes.
        """
        x_KD, p, rho = node["x"], dual_KP.shape[1], self.penalty(cohort)
        degree_K1 = torch.from_numpy(inbox.degrees_K).to(x_KD).unsqueeze(1)
        pull_KD = torch.nn.functional.pad(dual_KP + rho * apart_KD[:, :p], (0, x_KD.shape[1] - p))
        memory, y_KD, losses_K = cohort.train_on(
            torch.cat([x_KD[:, :p], x_KD[:, p:] - apart_KD[:, p:] / (1 + degree_K1)], dim=1),
            self.optimizer.at(cohort.round - 1),
            {k.removeprefix(MEMORY): v for k, v in node.items() if k.startswith(MEMORY)} if self.keep_memory else None,
            steps=self.primal_iterations,
            batch_size=self.batch_size,
            clip_norm=self.clip_norm,
            extra_gradient=lambda y_CD, at: pull_KD[at] + 2 * rho * degree_K1[at] * (y_CD - x_KD[at]),
        )
        return {**node, "x": y_KD, "loss": losses_K, **{f"{MEMORY}{name}": rows for name, rows in memory.items()}}
