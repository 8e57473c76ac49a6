"""Federated averaging with Adam at the coordinator."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.algorithms.federated.fedopt import AdaptiveServer

__all__ = ["FedAdam"]


class FedAdam(AdaptiveServer):
    r"""FedAvg whose coordinator steps like Adam: each parameter by its mean update over the size of its updates.

    With the combined update Δ,

    .. math:: m \leftarrow \beta_1 m + (1 - \beta_1) \Delta, \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2) \Delta^2, \qquad
        x \leftarrow x + \eta \frac{m}{\sqrt{v} + \tau}

    from m = 0 and v = τ², without a correction of their bias. Buffers take the plain update.

    Source: Reddi et al. 2021, "Adaptive Federated Optimization", Algorithm 2.

    Example:
        >>> FedAdam(server_lr=0.03).beta2
        0.99
    """

    beta2: float = Field(0.99, ge=0, lt=1, description="the share β2 of the mean squared update that a round keeps")

    def second_moment(self, v_P: Tensor, squares_P: Tensor) -> Tensor:
        """A mean of the squares that forgets."""
        return self.beta2 * v_P + (1 - self.beta2) * squares_P
