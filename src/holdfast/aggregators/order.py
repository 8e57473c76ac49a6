"""Rows put in order within each coordinate, with missing values last."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["in_order"]


def in_order(x_MD: Tensor) -> tuple[Tensor, Tensor]:
    """The values of each coordinate in ascending order, and how many of them are finite.

    Values that are not finite count as missing and stand at the end, as +inf.

    Args:
        x_MD: (…, M, D) rows.

    Returns:
        (…, M, D) ordered values and (…, 1, D) numbers of finite values.

    Example:
        >>> ordered_MD, finite_1D = in_order(torch.tensor([[3.0], [float("nan")], [1.0]]))
        >>> ordered_MD.flatten().tolist(), finite_1D.item()
        ([1.0, 3.0, inf], 2)
    """
    finite_MD = torch.isfinite(x_MD)
    ordered_MD = x_MD.where(finite_MD, torch.inf).sort(dim=-2).values
    return ordered_MD, finite_MD.sum(-2, keepdim=True)
