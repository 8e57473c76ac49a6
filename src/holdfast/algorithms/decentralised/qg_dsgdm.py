"""Decentralised SGD with quasi-global momentum."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.algorithms.base import PeerAlgorithm
from holdfast.algorithms.decentralised.steps import GradientStep, moved
from holdfast.cohort import Cohort
from holdfast.inbox import PeerInbox
from holdfast.message import Message
from holdfast.types import State

__all__ = ["QGDSGDm"]


class QGDSGDm(GradientStep, PeerAlgorithm):
    r"""QG-DSGDm: decentralised SGD with a momentum of where the models went, mixing included.

    .. math::
        m_i = \beta \hat m_i + g_i, \qquad
        x_i^+ = \sum_j W_{ij} (x_j - \eta m_j), \qquad
        \hat m_i^+ = \mu \hat m_i + (1 - \mu) \frac{x_i - x_i^+}{\eta}

    with m̂ = 0 at first. The common direction stays in m̂; what is one node's own is mixed away, so that nodes with
    unlike data do not pull apart, as they do with a momentum of their own gradients.

    Source: Lin, Karimireddy, Stich & Jaggi 2021, "Quasi-Global Momentum: Accelerating Decentralized Deep Learning on
    Heterogeneous Data", Algorithm 1.

    Example:
        >>> QGDSGDm(lr=0.05).beta
        0.9
    """

    lr: float = Field(0.1, gt=0, description="the learning rate η")
    beta: float = Field(0.9, ge=0, lt=1, description="β, the momentum's part in a step, beside the whole gradient")
    mu: float = Field(0.9, ge=0, lt=1, description="μ, how much of the momentum stays from round to round")

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The models, and momenta of 0."""
        return {"x": x_KD, "momentum": x_KD.new_zeros(len(x_KD), cohort.engine.layout.parameters)}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """Step along momentum and gradient."""
        momentum_KP = node["momentum"]
        gradient_KD, losses_K = self.gradient(cohort, node["x"])
        step_KP = self.lr * (self.beta * momentum_KP + gradient_KD[:, : momentum_KP.shape[1]])
        said_KD = moved(node["x"], gradient_KD, step_KP)
        return node, Message({"x": said_KD}, cohort.samples(), losses_K)

    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        """Mix, and remember which way that went."""
        x_KD, momentum_KP = inbox.mix("x"), node["momentum"]
        went_KP = (node["x"] - x_KD)[:, : momentum_KP.shape[1]] / self.lr
        return {"x": x_KD, "momentum": self.mu * momentum_KP + (1 - self.mu) * went_KP}
