"""What rules on graphs share: the own row first, and the others clipped to a distance from it."""

from __future__ import annotations

from torch import Tensor

from holdfast.aggregators.mixture import Mixture

__all__ = ["drawn", "from_own", "heaviest"]


def from_own(rows: Mixture) -> Tensor:
    """(…, M) the distance of each row to the first, the own one; inf to a row that is not finite."""
    return rows.geometry.between_MM[..., 0, :].sqrt()


def heaviest(weights_M: Tensor, f: int) -> Tensor:
    """(…, 1) the most that f neighbours can weigh, b: what liars weigh at worst.

    Example:
        >>> import torch
        >>> heaviest(torch.tensor([0.5, 0.125, 0.25, 0.125]), f=2)
        tensor([0.3750])
    """
    return weights_M[..., 1:].topk(f).values.sum(-1, keepdim=True)


def drawn(weights_M: Tensor, distances_M: Tensor, tau: Tensor) -> Tensor:
    r"""The weights of the rows in what the own row becomes when each of the others draws it by τ at most.

    .. math:: y = x_0 + \sum_j w_j \min(1, \tau / d_j) (x_j - x_0)

    Args:
        weights_M: (…, M) shares of one; the own row's does not matter, it gets what the others leave.
        distances_M: (…, M) d, the distances to the own row; a row at inf does not draw.
        tau: (…, 1) the radius τ; inf clips nothing.

    Returns:
        (…, M) weights that add up to one.

    Example:
        >>> import torch
        >>> drawn(torch.full((3,), 1 / 4), torch.tensor([0.0, 2.0, 8.0]), torch.tensor([4.0]))
        tensor([0.6250, 0.2500, 0.1250])
    """
    factor_M = (tau / distances_M).clamp(max=1).where(distances_M > 0, 1)
    drawn_M = (weights_M * factor_M).where(distances_M.isfinite(), 0)
    drawn_M[..., 0] = 1 - drawn_M[..., 1:].sum(-1)
    return drawn_M
