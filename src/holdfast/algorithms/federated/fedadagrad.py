"""Federated averaging with Adagrad at the coordinator."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.algorithms.federated.fedopt import AdaptiveServer

__all__ = ["FedAdagrad"]


class FedAdagrad(AdaptiveServer):
    r"""FedAvg whose coordinator steps like Adagrad: the more a parameter has moved, the less it moves.

    With the combined update Δ,

    .. math:: m \leftarrow \beta_1 m + (1 - \beta_1) \Delta, \qquad
        v \leftarrow v + \Delta^2, \qquad
        x \leftarrow x + \eta \frac{m}{\sqrt{v} + \tau}

    from m = 0 and v = τ². Buffers take the plain update.

    Source: Reddi et al. 2021, "Adaptive Federated Optimization", Algorithm 2.

    Example:
        >>> FedAdagrad(server_lr=0.03).beta1
        0.0
    """

    beta1: float = Field(0.0, ge=0, lt=1, description="the share β1 of the mean update that a round keeps")

    def second_moment(self, v_P: Tensor, squares_P: Tensor) -> Tensor:
        """The sum of the squares."""
        return v_P + squares_P
