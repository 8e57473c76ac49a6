"""Directions among the honest rows."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["top_direction"]


def top_direction(honest_HD: Tensor) -> tuple[Tensor, float]:
    """The (D,) unit vector along which rows differ most, and their standard deviation along it.

    v = argmax over ‖v‖ = 1 of Σ_i (v · (x_i - ḡ))²

    through the H × H Gram matrix of the rows around their mean ḡ. Of the two such vectors, the one that does not
    point along ḡ. Where the rows do not differ, or are so long that their squares overflow: zeros.

    Example:
        >>> direction_D, spread = top_direction(torch.tensor([[0.0, 0.0], [6.0, 8.0]]))
        >>> direction_D, round(spread, 4)
        (tensor([-0.6000, -0.8000]), 5.0)
    """
    mean_D = honest_HD.mean(0)
    away_HD = honest_HD - mean_D
    gram_HH = (away_HD @ away_HD.T).double()
    if not gram_HH.isfinite().all():
        return torch.zeros_like(mean_D), 0.0
    squares_H, vectors_HH = torch.linalg.eigh(gram_HH)
    spread = float((squares_H[-1].clamp(min=0) / len(honest_HD)).sqrt())
    top_D = vectors_HH[:, -1].to(away_HD) @ away_HD
    top_D = top_D / top_D.norm().clamp(min=torch.finfo(top_D.dtype).tiny)
    return (-top_D if top_D @ mean_D > 0 else top_D), spread
