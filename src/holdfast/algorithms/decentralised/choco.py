"""Gossip with compressed differences."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from holdfast.algorithms.base import PeerAlgorithm
from holdfast.algorithms.decentralised.steps import GradientStep, moved
from holdfast.cohort import Cohort
from holdfast.inbox import PeerInbox
from holdfast.message import Message
from holdfast.types import State

__all__ = ["Choco"]


class Choco(GradientStep, PeerAlgorithm):
    r"""Choco-SGD: nodes tell how they differ from what the others hold of them, through any codec Q.

    .. math::
        x_i^{½} &= x_i - \eta g_i, \qquad q_i = Q(x_i^{½} - \hat x_i) \\
        \hat x_j &\leftarrow \hat x_j + q_j \quad (j \in N_i \cup \{i\}), \qquad
        x_i^+ = x_i^{½} + \gamma \sum_j W_{ij} (\hat x_j - \hat x_i)

    with x̂ = x⁰ at first. What Q loses is in the next difference, so that any codec does, biased or not, if γ is small
    enough. Without a codec and with γ = 1 it is `dsgd` that adapts before it combines. Of the neighbours' copies a node
    keeps only the sum over j, one row whatever its degree: the graph must not change, and a difference that a link
    loses is lost for good. If the link loses it both ways that costs accuracy; if one way, the sum of the pulls is no
    longer 0, and the common model may run away.

    Source: Koloskova, Stich & Jaggi 2019, "Decentralized Stochastic Optimization and Gossip Algorithms with Compressed
    Communication", Algorithm 2, in the form of its Algorithm 6, which needs little memory.

    Example:
        >>> Choco(gamma=0.1).says
        ('difference',)
    """

    says: ClassVar[tuple[str, ...]] = ("difference",)
    stays: ClassVar[bool] = True
    balanced: ClassVar[bool] = True

    lr: float = Field(0.1, gt=0, description="the learning rate η")
    gamma: float = Field(
        0.5, gt=0, le=1, description="γ, how far a node goes to its neighbours; less if a codec loses more"
    )

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The models, the others' copies of them, and how far those are from their neighbourhoods."""
        return {"x": x_KD, "copy": x_KD, "pull": x_KD.new_zeros(x_KD.shape)}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """Step, and say how far that is from the others' copy."""
        gradient_KD, losses_K = self.gradient(cohort, node["x"])
        step_KP = self.lr * gradient_KD[:, : cohort.engine.layout.parameters]
        x_KD = moved(node["x"], gradient_KD, step_KP)
        return {**node, "x": x_KD}, Message({"difference": x_KD - node["copy"]}, cohort.samples(), losses_K)

    def local_models(self, node: State, said: Message) -> Tensor:
        """The models after their step, for triggers."""
        return node["x"]

    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        """Bring the copies up to date as everybody does, and go to the neighbours' mean."""
        inbox = inbox.as_sent(cohort.nodes_K)
        change_KD = inbox.own["difference"]
        pull_KD = node["pull"] + inbox.towards("difference")
        return {"x": node["x"] + self.gamma * pull_KD, "copy": node["copy"] + change_KD, "pull": pull_KD}
