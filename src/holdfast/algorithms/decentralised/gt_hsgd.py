"""Gradient tracking with hybrid stochastic gradients."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.algorithms.decentralised.steps import Tracking, moved
from holdfast.cohort import Cohort
from holdfast.message import Message
from holdfast.types import FloatArray, IntArray, State

__all__ = ["GTHSGD"]


class GTHSGD(Tracking):
    r"""GT-HSGD: gradient tracking of gradients whose noise is taken down by those of the round before.

    On one batch ξ, at the model and at the model of the last round,

    .. math::
        v_i^+ &= g_i(x_i^+; \xi) + (1 - \beta) (v_i - g_i(x_i; \xi)) \\
        y_i^+ &= \sum_j W_{ij} (y_j + v_j^+ - v_j), \qquad x_i^+ = \sum_j W_{ij} x_j - \alpha y_i^+

    The paper mixes y⁺ once more, with the models, which would need a second exchange in the round; fixed points are the
    same. With β = 1, or without noise, this is `dsgt`. A node computes two gradients a round and sends two rows.

    Source: Xin, Khan & Kar 2021, "A Hybrid Variance-Reduced Method for Decentralized Stochastic Non-Convex
    Optimization", Algorithm 1.

    Example:
        >>> GTHSGD(beta=0.1).beta
        0.1
    """

    lr: float = Field(0.1, gt=0, description="the learning rate α")
    beta: float = Field(0.1, gt=0, le=1, description="β, how much of v_i is renewed in a round")

    def effort(self, sizes_K: IntArray) -> FloatArray:
        """(K,) on how many samples nodes with so many work in a round: one batch, twice."""
        return 2 * super().effort(sizes_K)

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The models, nothing followed yet, no model before them, and so nothing of v to keep."""
        return {**super().start_nodes(x_KD, cohort), "before": x_KD, "keep": x_KD.new_zeros(len(x_KD))}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """Follow the hybrid gradient, and step along what follows it."""
        x_KD, p = node["x"], node["y"].shape[1]
        gradient_KD, losses_K = self.gradient(cohort, x_KD)
        before_KD, _ = self.gradient(cohort, node["before"])
        kept_KP = node["keep"].unsqueeze(1) * (node["last"] - before_KD[:, :p])
        node = self.follow(node, gradient_KD[:, :p] + kept_KP)
        said = {"x": moved(x_KD, gradient_KD, self.lr * node["y"]), "y": node["y"]}
        keep_K = node["keep"].new_full((len(x_KD),), 1 - self.beta)
        return {**node, "before": x_KD, "keep": keep_K}, Message(said, cohort.samples(), losses_K)
