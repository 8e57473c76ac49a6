"""The score by which Krum and its kin choose."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["krum_scores", "least", "mean_of"]


def krum_scores(squared_MM: Tensor, neighbours: int) -> Tensor:
    """The sum of each row's least squared distances to so many others; the less, the more central.

    A row that is not finite scores inf, and any other less than that, so it is chosen only where there is no
    other.

    Args:
        squared_MM: (…, M, M) squared distances, inf on the diagonal for a row that is not finite.
        neighbours: how many others count.

    Returns:
        (…, M) scores.

    Example:
        >>> from holdfast.aggregators.geometry import Geometry
        >>> geometry = Geometry.of(torch.tensor([[0.0], [1.0], [3.0], [3.0], [10.0]]))
        >>> krum_scores(geometry.between_MM, neighbours=2)
        tensor([10.,  5.,  4.,  4., 98.], dtype=torch.float64)
    """
    nearest_MM = squared_MM.sort(-1).values[..., : neighbours + 1]  # one more: each row itself, at 0
    scores_M = nearest_MM.sum(-1).clamp(max=torch.finfo(squared_MM.dtype).max)
    return scores_M.where(squared_MM.diagonal(dim1=-2, dim2=-1).isfinite(), torch.inf)


def least(scores_M: Tensor, count: int) -> Tensor:
    """(…, M) which rows have the ``count`` least scores; a tie goes to the lower row."""
    chosen_M = scores_M.argsort(dim=-1, stable=True)[..., :count]
    return torch.zeros_like(scores_M, dtype=torch.bool).scatter(-1, chosen_M, True)


def mean_of(chosen_M: Tensor, scores_M: Tensor) -> Tensor:
    """(…, M) the weights of the mean of the chosen rows: of those with a finite score, wherever there is one."""
    finite_M = chosen_M & scores_M.isfinite()
    kept_M = finite_M.where(finite_M.any(-1, keepdim=True), chosen_M).double()
    return kept_M / kept_M.sum(-1, keepdim=True)
