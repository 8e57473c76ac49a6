"""Federated averaging with a proximal term."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.cohort import Cohort
from holdfast.types import State

__all__ = ["FedProx"]


class FedProx(FedAvg):
    r"""FedAvg whose nodes are held back towards the model that they were sent, so that they drift apart less.

    With the broadcast w, node i trains on

    .. math:: F_i(x) + \frac{\mu}{2} \|x - w\|^2

    so that μ(x - w) is added to each gradient; the rest is FedAvg's. With μ = 0 it is FedAvg.

    Source: Li et al. 2020, "Federated Optimization in Heterogeneous Networks", Algorithm 2.

    Example:
        >>> FedProx(mu=0.01, local_epochs=5).mu
        0.01
    """

    mu: float = Field(0.1, ge=0, description="the weight μ of the pull towards the broadcast; 0 is FedAvg")

    def work(self, node: State, start_KD: Tensor, x_KD: Tensor, cohort: Cohort) -> tuple[State, Tensor, Tensor]:
        """Train as FedAvg does, pulled towards the broadcast."""
        return node, *self.train(cohort, start_KD, lambda y_CD, rows: self.mu * (y_CD - x_KD[rows]))
