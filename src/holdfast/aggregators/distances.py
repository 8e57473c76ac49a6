"""Squared distances between rows, and the score by which Krum and its kin choose."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["krum_scores", "squared_distances"]


def squared_distances(x_MD: Tensor) -> Tensor:
    """‖x_i - x_j‖² for each pair of rows, through the Gram matrix of the rows around a central one.

    A row that holds a value that is not finite, or lies so far out that its square overflows, is at infinite
    distance from everybody, itself included: so its entry on the diagonal tells it from the rest.

    ‖a‖² + ‖b‖² - 2a·b cancels badly where a and b are long and close together, as models near consensus are.
    So a first pass, on the rows as they are, finds the row with the nearest majority, and a second measures
    from there: no lying minority can place that centre far from the honest rows, nor make their distances
    overflow.

    Args:
        x_MD: (…, M, D) rows.

    Returns:
        (…, M, M) squared distances.

    Example:
        >>> squared_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0], [float("nan"), 0.0]]))
        tensor([[ 0., 25., inf],
                [25.,  0., inf],
                [inf, inf, inf]])
    """
    reach_M = _gram_distances(x_MD).sort(-1).values[..., x_MD.shape[-2] // 2]
    least_1, central_1 = reach_M.min(-1, keepdim=True)
    centre_1D = x_MD.take_along_dim(central_1.unsqueeze(-1), dim=-2)
    return _gram_distances(x_MD - centre_1D.where(torch.isfinite(least_1).unsqueeze(-1), 0))


def _gram_distances(x_MD: Tensor) -> Tensor:
    gram_MM = x_MD @ x_MD.mT
    square_M = gram_MM.diagonal(dim1=-2, dim2=-1)
    distances_MM = (square_M.unsqueeze(-1) + square_M.unsqueeze(-2) - 2 * gram_MM).clamp(min=0)
    distances_MM = distances_MM.where(~torch.isnan(distances_MM), torch.inf)
    itself_M = torch.zeros_like(square_M).where(torch.isfinite(square_M), torch.inf)
    return distances_MM.diagonal_scatter(itself_M, dim1=-2, dim2=-1)


def krum_scores(x_MD: Tensor, f: int) -> Tensor:
    """The sum of each row's M - f - 2 least squared distances to others; the less, the more central.

    A row that is not finite scores inf, and any other less than that, so it is chosen only where there is no
    other.

    Args:
        x_MD: (…, M, D) rows, M ≥ 2f + 3.
        f: how many Byzantine rows to tolerate.

    Returns:
        (…, M) scores.

    Example:
        >>> krum_scores(torch.tensor([[0.0], [1.0], [3.0], [3.0], [10.0]]), f=1)
        tensor([10.,  5.,  4.,  4., 98.])
    """
    distances_MM = squared_distances(x_MD)
    nearest_MM = distances_MM.sort(-1).values[..., : x_MD.shape[-2] - f - 1]  # one more: each row itself, at 0
    scores_M = nearest_MM.sum(-1).clamp(max=torch.finfo(x_MD.dtype).max)
    return scores_M.where(torch.isfinite(distances_MM.diagonal(dim1=-2, dim2=-1)), torch.inf)
