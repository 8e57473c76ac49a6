"""What the coordinator makes of the combined update where it does not simply add it: shared by several algorithms."""

from __future__ import annotations

from abc import abstractmethod

import torch
from pydantic import Field
from torch import Tensor

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.inbox import ServerInbox
from holdfast.layout import Layout
from holdfast.types import State

__all__ = ["AdaptiveServer", "moved"]


def moved(x_D: Tensor, update_D: Tensor, step_P: Tensor) -> Tensor:
    """The model after a step of its P parameters; the columns after them are buffers, which take the plain update.

    Example:
        >>> moved(torch.tensor([1.0, 10.0]), torch.tensor([5.0, 5.0]), torch.tensor([0.5]))
        tensor([ 1.5000, 15.0000])
    """
    return x_D + torch.cat([step_P, update_D[len(step_P) :]])


class AdaptiveServer(FedAvg):
    r"""FedAvg whose coordinator has a learning rate for each parameter.

    With the combined update Δ,

    .. math:: m \leftarrow \beta_1 m + (1 - \beta_1) \Delta, \qquad
        x \leftarrow x + \eta \frac{m}{\sqrt{v} + \tau}

    from m = 0 and v = τ², where v follows Δ² as each of the algorithms says. Nothing corrects the bias of the first
    rounds. Buffers take the plain update.

    Source: Reddi et al. 2021, "Adaptive Federated Optimization", Algorithm 2.
    """

    server_lr: float = Field(0.1, gt=0, description="the coordinator's learning rate η")
    beta1: float = Field(0.9, ge=0, lt=1, description="the share β1 of the mean update that a round keeps")
    tau: float = Field(1e-3, gt=0, description="how adaptive it is: τ, below which an update counts as small")

    def start(self, x_D: Tensor, layout: Layout) -> State:
        """The model, and the moments of its parameters."""
        m_P = x_D.new_zeros(layout.parameters)
        return {"x": x_D, "m": m_P, "v": torch.full_like(m_P, self.tau**2)}

    @abstractmethod
    def second_moment(self, v_P: Tensor, squares_P: Tensor) -> Tensor:
        """The next v, from the last one and Δ²."""

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """Bring the moments up to date and step."""
        update_D = inbox.combined["update"]
        update_P = update_D[: inbox.parameters]
        m_P = self.beta1 * server["m"] + (1 - self.beta1) * update_P
        v_P = self.second_moment(server["v"], update_P.square())
        step_P = self.server_lr * m_P / (v_P.sqrt() + self.tau)
        return {"x": moved(server["x"], update_D, step_P), "m": m_P, "v": v_P}
