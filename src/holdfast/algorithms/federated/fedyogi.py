"""Federated averaging with Yogi at the coordinator."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.algorithms.federated.fedopt import AdaptiveServer

__all__ = ["FedYogi"]


class FedYogi(AdaptiveServer):
    r"""FedAvg whose coordinator steps like Yogi: as FedAdam, but the size of a parameter's updates changes slowly.

    With the combined update Δ,

    .. math:: m \leftarrow \beta_1 m + (1 - \beta_1) \Delta, \qquad
        v \leftarrow v - (1 - \beta_2) \Delta^2 \operatorname{sign}(v - \Delta^2), \qquad
        x \leftarrow x + \eta \frac{m}{\sqrt{v} + \tau}

    from m = 0 and v = τ², without a correction of their bias. Where Δ² is small, v falls by (1 - β2)Δ² and not by a
    share of itself, so that the rate does not leap up. Buffers take the plain update.

    Source: Reddi et al. 2021, "Adaptive Federated Optimization", Algorithm 2; Zaheer et al. 2018 for Yogi.

    Example:
        >>> FedYogi(server_lr=0.03).beta2
        0.99
    """

    beta2: float = Field(0.99, ge=0, lt=1, description="1 - β2 is the share of Δ² by which v may change in a round")

    def second_moment(self, v_P: Tensor, squares_P: Tensor) -> Tensor:
        """A step towards the squares, as long as a share of them."""
        return v_P - (1 - self.beta2) * squares_P * (v_P - squares_P).sign()
