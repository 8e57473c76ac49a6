"""Buffered asynchronous aggregation."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.algorithms.federated.fedopt import moved
from holdfast.inbox import ServerInbox
from holdfast.types import State

__all__ = ["FedBuff"]


class FedBuff(FedAvg):
    r"""Asynchronous federated averaging: the coordinator moves the model as soon as a few updates have come.

    Each node starts from the model of its day and sends y_i - x when it is done; of K updates that arrived, τ_i steps
    of the coordinator after they began,

    .. math:: x \leftarrow x + \frac{\eta_g}{K} \sum_i s(\tau_i) (y_i - x_{t-\tau_i}), \qquad s(\tau) = (1 + \tau)^{-a}

    As many nodes work at a time as ``participation`` asks for; where some have finished, others begin when the
    coordinator has moved. In a simulation the virtual ``clock`` tells whose update comes first (without one, nodes
    differ in the number of their samples alone); over a network it is real time. With a ``buffer`` that is no smaller
    than the number of nodes at work, everybody is waited for.

    Source: Nguyen et al. 2022, "Federated Learning with Buffered Asynchronous Aggregation", Algorithm 1 and section 5.

    Example:
        >>> FedBuff(buffer=4).weights_of(torch.tensor([0, 3]))
        tensor([1.0000, 0.5000])
    """

    buffer: int = Field(10, ge=1, description="how many updates the coordinator waits for")
    server_lr: float = Field(1.0, gt=0, description="η_g, how far the model moves by the buffer's mean (no unit)")
    staleness_power: float = Field(0.5, ge=0, description="a of the weight (1 + τ)^-a of an update τ rounds late")
    max_staleness: int = Field(100, ge=0, description="how late a message may come and still count, in rounds")
    weighting: Literal["uniform"] = Field("uniform", description="what a row weighs besides its staleness")

    @property
    def awaits(self) -> int:
        """How many updates end a round."""
        return self.buffer

    def weights_of(self, staleness_M: Tensor) -> Tensor:
        """(M,) the weights of updates that are so many rounds late."""
        return (1.0 + staleness_M).pow(-self.staleness_power)

    def weights(self, inbox: ServerInbox) -> Tensor:
        """(M,) what the rows weigh: the older the less."""
        return self.weights_of(torch.from_numpy(inbox.staleness_M)).to(inbox.weights_M)

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """Move the model by the weighted mean, which weighs as much as the rows do on average; buffers wholly."""
        rate = self.server_lr * float(self.weights(inbox).mean())
        update_D = inbox.combined["update"]
        return {"x": moved(server["x"], update_D, rate * update_D[: inbox.parameters])}
