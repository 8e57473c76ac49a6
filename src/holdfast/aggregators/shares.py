"""The weights of rows, as shares of one."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["shares"]


def shares(rows: int, weights_M: Tensor | None) -> Tensor:
    """What each row counts for, w_i / Σ_j w_j, in float64.

    Args:
        rows: how many rows there are.
        weights_M: (…, M) non-negative weights; ``None`` weighs the rows equally.

    Returns:
        (…, M) shares, or (M,) where no weights are given; NaN where all weights of an inbox are 0.

    Example:
        >>> shares(2, torch.tensor([1, 3]))
        tensor([0.2500, 0.7500], dtype=torch.float64)
    """
    if weights_M is None:
        return torch.full((rows,), 1 / rows, dtype=torch.float64)
    weights_M = weights_M.double()
    return weights_M / weights_M.sum(-1, keepdim=True)
