"""A network-independent step size."""

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

__all__ = ["NIDS"]


class NIDS(GradientStep, PeerAlgorithm):
    r"""NIDS, also D²: exact like EXTRA, with a learning rate that need not suit the graph.

    With :math:`\tilde W = (I + W) / 2`,

    .. math::
        x^1 &= \tilde W (x^0 - \alpha g^0) \\
        x^{k+2} &= \tilde W (2 x^{k+1} - x^k - \alpha (g^{k+1} - g^k))

    What stands in the brackets is :math:`z^k = x^k - \alpha g^k + c^k` with :math:`c^{k+1} = c^k + (W z^k - z^k) / 2`
    and c⁰ = 0; this is what is computed, and z is what nodes send. With full gradients every node comes to the minimum
    of the mean loss. Links must deliver both ways or not at all: a c_i that one end alone has changed stays wrong.

    Source: Li, Shi & Yan 2019, "A Decentralized Proximal-Gradient Method with Network Independent Step-Sizes and
    Separated Convergence Rates", Algorithm 1 without the proximal term; Tang et al. 2018, "D²", Algorithm 1, which
    mixes in the first round already.

    Example:
        >>> NIDS(lr=0.5).lr
        0.5
    """

    needs: ClassVar[Links] = "equal weights"
    stays: ClassVar[bool] = True
    balanced: ClassVar[bool] = True

    lr: float = Field(0.1, gt=0, description="the learning rate α")

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The models, and corrections of 0."""
        return {"x": x_KD, "correction": x_KD.new_zeros(len(x_KD), cohort.engine.layout.parameters)}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """Step, and correct."""
        correction_KP = node["correction"]
        gradient_KD, losses_K = self.gradient(cohort, node["x"])
        step_KP = self.lr * gradient_KD[:, : correction_KP.shape[1]] - correction_KP
        said_KD = moved(node["x"], gradient_KD, step_KP)
        return node, Message({"x": said_KD}, cohort.samples(), losses_K)

    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        """Mix half way; correct by what that has changed as well, from now on."""
        mixing_KD, correction_KP = inbox.towards("x") / 2, node["correction"]
        correction_KP = correction_KP + mixing_KD[:, : correction_KP.shape[1]]
        return {"x": inbox.own["x"] + mixing_KD, "correction": correction_KP}
