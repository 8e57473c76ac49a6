"""Federated averaging, and beside it a model of its own for each node."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.cohort import Cohort
from holdfast.message import Message
from holdfast.types import FloatArray, IntArray, State

__all__ = ["Ditto"]


class Ditto(FedAvg):
    r"""A model of its own for each node, held near to the common one of federated averaging.

    The common model x is FedAvg's. In every round in which it is asked, node i also trains its own v_i, on the same
    batches, by as many steps and held to the x that it hears:

    .. math:: v_i \leftarrow v_i - \eta \bigl(\nabla F_i(v_i) + \lambda (v_i - x)\bigr)

    The bytes are FedAvg's; the work is twice as much. The coordinator evaluates x: the metrics ``personal_…`` and
    ``local_…`` judge the v_i.

    Source: Li et al. 2021, "Ditto: Fair and Robust Federated Learning Through Personalization", Algorithm 1.

    Example:
        >>> Ditto(lam=0.5, local_epochs=2).lam
        0.5
    """

    lam: float = Field(
        0.1, ge=0, description="λ, how strongly a node's own model is held to the common one, per unit of distance"
    )

    def effort(self, sizes_K: IntArray) -> FloatArray:
        """(K,) FedAvg's, twice."""
        return 2 * super().effort(sizes_K)

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """FedAvg's state, and each v_i."""
        return {**super().start_nodes(x_KD, cohort), "own": x_KD}

    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        """FedAvg's work, and the own model's training."""
        x_KD = message["x"]
        node, said = super().local(node, message, cohort)
        own_KD, _ = self.train(cohort, node["own"], lambda v_CD, rows: self.lam * (v_CD - x_KD[rows]))
        return {**node, "own": own_KD}, said

    def personal(self, node: State, x_KD: Tensor) -> Tensor:
        """Each v_i."""
        return node["own"]
