"""The weighted mean."""

from __future__ import annotations

from torch import Tensor

from holdfast.aggregators.base import Weighing
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.shares import shares
from holdfast.types import State

__all__ = ["Mean"]


class Mean(Weighing):
    """The weighted mean of the rows, which a single lying row can move anywhere.

    x̄ = Σ_i w_i x_i / Σ_i w_i

    Values that are not finite go through, so that a run that diverges shows it; so do weights that are all 0, as
    NaN. The input is read once: M·D multiplications.

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

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and the (…, M) shares that the rows state."""
        return state, shares(rows.rows, rows.weights_Q)
