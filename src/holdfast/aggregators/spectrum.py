"""The covariance of an inbox's rows, told from their squared distances."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["centred", "principal"]

FAR = 1e290
"""The greatest squared distance that counts, so that sums of them stay finite."""


def centred(squared_MM: Tensor, shares_M: Tensor) -> Tensor:
    r"""√p_i ⟨x_i - μ, x_j - μ⟩ √p_j, which has the eigenvalues of the rows' covariance around their mean.

    .. math:: \langle x_i - \mu, x_j - \mu \rangle = -\tfrac{1}{2} (D_{ij} - (Dp)_i - (Dp)_j + p^\top D p)

    with the mean μ = Σ_i p_i x_i, of which no eigenvalue but 0 is lost or added.

    Args:
        squared_MM: (…, M, M) D, the squared distances.
        shares_M: (…, M) p in float64, which adds up to 1; a row of share 0 may be anywhere.

    Example:
        >>> squared_MM = torch.tensor([[0.0, 4.0, torch.inf], [4.0, 0.0, torch.inf], [torch.inf] * 3])
        >>> centred(squared_MM.double(), torch.tensor([0.5, 0.5, 0.0]).double())[:2, :2]
        tensor([[ 0.5000, -0.5000],
                [-0.5000,  0.5000]], dtype=torch.float64)
    """
    part_M = shares_M > 0
    counted_MM = squared_MM.clamp(max=FAR).where(part_M.unsqueeze(-1) & part_M.unsqueeze(-2), 0)
    toward_M = (counted_MM * shares_M.unsqueeze(-2)).sum(-1)
    middle = (toward_M * shares_M).sum(-1)
    inner_MM = (toward_M.unsqueeze(-1) + toward_M.unsqueeze(-2) - counted_MM - middle[..., None, None]) / 2
    root_M = shares_M.sqrt()
    return root_M.unsqueeze(-1) * inner_MM * root_M.unsqueeze(-2)


def principal(squared_MM: Tensor, shares_M: Tensor) -> tuple[Tensor, Tensor]:
    """The greatest variance of the rows in any direction, and how far out each row lies along that direction.

    Args:
        squared_MM: (…, M, M) squared distances.
        shares_M: (…, M) what each row counts for, in float64, adding up to 1.

    Returns:
        (…) the variance, and (…, M) the squared distance to the mean along the direction, with the greatest as 1; 0
        for a row of share 0, and for all where they are alike.

    Example:
        >>> squared_MM = torch.tensor([[0.0, 1.0, 16.0], [1.0, 0.0, 9.0], [16.0, 9.0, 0.0]]).double()
        >>> variance, out_M = principal(squared_MM, torch.tensor([0.25, 0.5, 0.25]).double())
        >>> round(variance.item(), 4), [round(out, 4) for out in out_M.tolist()]
        (2.25, [0.36, 0.04, 1.0])
    """
    values_M, vectors_MM = torch.linalg.eigh(centred(squared_MM, shares_M))
    variance = values_M[..., -1].clamp(min=0)
    out_M = (vectors_MM[..., -1].square() / shares_M).where((shares_M > 0) & (variance > 0).unsqueeze(-1), 0)
    most = out_M.amax(-1, keepdim=True)
    return variance, out_M / most.where(most > 0, 1)
