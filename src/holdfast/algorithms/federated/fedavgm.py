"""Federated averaging with momentum at the coordinator."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.algorithms.federated.fedopt import moved
from holdfast.inbox import ServerInbox
from holdfast.layout import Layout
from holdfast.types import State

__all__ = ["FedAvgM"]


class FedAvgM(FedAvg):
    r"""FedAvg whose coordinator has momentum: the model goes on in the direction of the past rounds' updates.

    With the combined update Δ,

    .. math:: m \leftarrow \beta m + \Delta, \qquad x \leftarrow x + \eta m

    from m = 0. With β = 0 and η = 1 it is FedAvg; under updates that stay the same it goes 1/(1 - β) times as far.
    Buffers take the plain update.

    Source: Hsu, Qi & Brown 2019, "Measuring the Effects of Non-Identical Data Distribution for Federated Visual
    Classification", section 4.3.

    Example:
        >>> FedAvgM(momentum=0.7).server_lr
        1.0
    """

    server_lr: float = Field(1.0, gt=0, description="the coordinator's learning rate η")
    momentum: float = Field(0.9, ge=0, lt=1, description="the share β of the last rounds' direction that is kept")

    def start(self, x_D: Tensor, layout: Layout) -> State:
        """The model, and the momentum of its parameters."""
        return {"x": x_D, "m": x_D.new_zeros(layout.parameters)}

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """Add the combined update to the momentum, and move by that."""
        update_D = inbox.combined["update"]
        m_P = self.momentum * server["m"] + update_D[: inbox.parameters]
        return {"x": moved(server["x"], update_D, self.server_lr * m_P), "m": m_P}
