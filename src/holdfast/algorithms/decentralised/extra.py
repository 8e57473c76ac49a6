"""An exact first-order algorithm."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from holdfast.algorithms.base import Links, PeerAlgorithm
from holdfast.algorithms.decentralised.steps import GradientStep, moved
from holdfast.cohort import Cohort
from holdfast.inbox import PeerInbox
from holdfast.message import Message
from holdfast.types import State

__all__ = ["EXTRA"]


class EXTRA(GradientStep, PeerAlgorithm):
    r"""EXTRA: decentralised gradient descent, and a correction that takes its bias away.

    With :math:`\tilde W = (I + W) / 2`,

    .. math::
        x^1 &= W x^0 - \alpha \nabla f(x^0) \\
        x^{k+2} &= (I + W) x^{k+1} - \tilde W x^k - \alpha (\nabla f(x^{k+1}) - \nabla f(x^k))

    which is, summed up, :math:`x^{k+1} = W x^k - \alpha \nabla f(x^k) + c^k` with
    :math:`c^{k+1} = c^k + (W x^k - x^k) / 2` and c⁰ = 0; this is what is computed. With full gradients every node comes
    to the minimum of the mean loss. Links must deliver both ways or not at all: a c_i that one end alone has changed
    stays wrong.

    Source: Shi, Ling, Wu & Yin 2015, "EXTRA: An Exact First-Order Algorithm for Decentralized Consensus Optimization",
    Algorithm 1.

    Example:
        >>> EXTRA(lr=0.05).lr
        0.05
    """

    needs: ClassVar[Links] = "equal weights"
    stays: ClassVar[bool] = True
    balanced: ClassVar[bool] = True

    lr: float = Field(0.1, gt=0, description="the learning rate α")

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The models, their gradients to come, and corrections of 0."""
        zero_KP = x_KD.new_zeros(len(x_KD), cohort.engine.layout.parameters)
        return {"x": x_KD, "gradient": x_KD.new_zeros(x_KD.shape), "correction": zero_KP}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """The gradient at the round's start, and the row to mix."""
        gradient_KD, losses_K = self.gradient(cohort, node["x"])
        return {**node, "gradient": gradient_KD}, Message({"x": node["x"]}, cohort.samples(), losses_K)

    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        """Mix, step and correct; then correct by half of what mixing has changed as well, from now on."""
        mixing_KD, correction_KP = inbox.towards("x"), node["correction"]
        p = correction_KP.shape[1]
        step_KP = self.lr * node["gradient"][:, :p] - correction_KP
        x_KD = moved(node["x"] + mixing_KD, node["gradient"], step_KP)
        return {**node, "x": x_KD, "correction": correction_KP + mixing_KD[:, :p] / 2}
