"""The weights of rows, as shares of one."""

from __future__ import annotations

from torch import Tensor

__all__ = ["shares"]


def shares(x_MD: Tensor, weights_M: Tensor | None) -> Tensor:
    """What each row counts for, w_i / Σ_j w_j, in the dtype and on the device of the rows.

    Args:
        x_MD: (…, M, D) rows.
        weights_M: (…, M) non-negative weights; ``None`` weighs the rows equally.

    Returns:
        (…, M) shares, or (M,) where no weights are given; NaN where all weights of an inbox are 0.

    Example:
        >>> import torch
        >>> shares(torch.zeros(2, 5), torch.tensor([1, 3]))
        tensor([0.2500, 0.7500])
    """
    if weights_M is None:
        return x_MD.new_full((x_MD.shape[-2],), 1 / x_MD.shape[-2])
    weights_M = weights_M.to(x_MD)
    return weights_M / weights_M.sum(-1, keepdim=True)
