"""The weighted mean."""

from __future__ import annotations

from torch import Tensor

from holdfast.aggregators.base import Aggregator
from holdfast.aggregators.shares import shares
from holdfast.types import State

__all__ = ["Mean"]


class Mean(Aggregator):
    """The weighted mean of the rows, which a single lying row can move anywhere.

    x̄ = Σ_i w_i x_i / Σ_i w_i

    Values that are not finite go through, even those of a row of weight 0, so that a run that diverges shows
    it; so do weights that are all 0, as NaN. The input is read once, in one matrix product: M·D
    multiplications.

    Example:
        >>> import torch
        >>> Mean()(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
        tensor([2., 4.])
        >>> Mean()(torch.tensor([[1.0, 2.0], [3.0, 6.0]]), torch.tensor([3, 1]))
        tensor([1.5000, 3.0000])

    Reference:
        McMahan et al., "Communication-Efficient Learning of Deep Networks from Decentralized Data" (AISTATS
        2017), Algorithm 1, with the weights as numbers of samples.
    """

    def aggregate(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor]:
        """The state, unchanged, and the (…, D) weighted mean of the (…, M, D) rows."""
        return state, (shares(x_MD, weights_M).unsqueeze(-2) @ x_MD).squeeze(-2)
