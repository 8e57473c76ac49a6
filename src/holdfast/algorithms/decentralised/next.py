"""In-network nonconvex optimisation."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.algorithms.decentralised.steps import Tracking, moved
from holdfast.cohort import Cohort
from holdfast.message import Message
from holdfast.types import State

__all__ = ["NEXT"]


class NEXT(Tracking):
    r"""NEXT: each node minimises a model of everybody's loss around where it stands, and goes part of the way there.

    The losses are nonconvex f_i and the penalty G(x) = λ‖x‖₁ on their mean. With the linear model of the own loss,

    .. math::
        \tilde x_i &= \arg\min_x \; \nabla f_i^\top (x - x_i) + \pi_i^\top (x - x_i)
            + \tfrac{N\tau}{2} \lVert x - x_i \rVert^2 + N G(x) \\
        z_i &= x_i + \alpha (\tilde x_i - x_i), \qquad x_i^+ = \sum_j W_{ij} z_j \\
        y_i^+ &= \sum_j W_{ij} y_j + \nabla f_i^+ - \nabla f_i, \qquad \pi_i^+ = N y_i^+ - \nabla f_i^+

    As ∇f_i + π_i = N y_i, the minimum is at :math:`\operatorname{soft}(x_i - y_i / \tau, \lambda / \tau)` whatever N
    is. After each round :math:`\alpha \leftarrow \alpha (1 - \mu \alpha)`. With α = 1 and λ = 0 this is gradient
    tracking, `dsgt` with a learning rate of 1/τ. A node sends two rows.

    Source: Di Lorenzo & Scutari 2016, "NEXT: In-Network Nonconvex Optimization", Algorithm 1, equations 6 and 11.

    Example:
        >>> NEXT(tau=20.0, l1=1e-4).alpha
        0.9
    """

    tau: float = Field(10.0, gt=0, description="τ, the curvature of the model; the inverse of a learning rate")
    alpha: float = Field(0.9, gt=0, le=1, description="the first α, the part of the way to the model's minimum")
    mu: float = Field(0.0, ge=0, lt=1, description="the decay μ of α, a round")
    l1: float = Field(0.0, ge=0, description="λ of the penalty λΣ|w|")

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The models, nothing followed yet, and the parts of the way."""
        return {**super().start_nodes(x_KD, cohort), "alpha": x_KD.new_full((len(x_KD),), self.alpha)}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """Follow the gradient, and go towards the minimum of the model."""
        x_KD, alpha_K, p = node["x"], node["alpha"], node["y"].shape[1]
        gradient_KD, losses_K = self.gradient(cohort, x_KD)
        node = self.follow(node, gradient_KD[:, :p])
        best_KP = torch.nn.functional.softshrink(x_KD[:, :p] - node["y"] / self.tau, self.l1 / self.tau)
        step_KP = alpha_K.unsqueeze(1) * (x_KD[:, :p] - best_KP)
        said = {"x": moved(x_KD, gradient_KD, step_KP), "y": node["y"]}
        return {**node, "alpha": alpha_K * (1 - self.mu * alpha_K)}, Message(said, cohort.samples(), losses_K)
