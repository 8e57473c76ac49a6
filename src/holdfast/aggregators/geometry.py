"""How the points of an inbox lie to each other: all that most rules need to know of their rows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from holdfast import kernels

__all__ = ["Geometry"]

ROUNDING = 1e-12
"""Up to here a share of the origin is what adding up the other shares has left over."""


@dataclass(frozen=True)
class Geometry:
    """Squared distances between points: the rows of an inbox, the pivot if there is one, and last the origin.

    A row that holds a value that is not finite is at infinite distance from everybody, itself included: so its entry on
    the diagonal tells it from the rest.

    Args:
        squared_PP: (…, P, P) in float64.
        rows: how many of the points are rows.

    Example:
        >>> geometry = Geometry.of(torch.tensor([[0.0, 0.0], [3.0, 4.0], [float("nan"), 0.0]]))
        >>> geometry.between_MM
        tensor([[ 0., 25., inf],
                [25.,  0., inf],
                [inf, inf, inf]], dtype=torch.float64)
        >>> geometry.norms_M, geometry.whole_M
        (tensor([0., 5., inf], dtype=torch.float64), tensor([ True,  True, False]))
    """

    squared_PP: Tensor
    rows: int

    @classmethod
    def of(cls, x_MD: Tensor, pivot_D: Tensor | None = None) -> Geometry:
        """The geometry of (…, M, D) rows and a (…, D) pivot: the input is read once."""
        other_ED = x_MD[..., :0, :] if pivot_D is None else pivot_D.unsqueeze(-2).to(x_MD)
        squared_PP = kernels.squared_distances(x_MD, other_ED)
        if not squared_PP.isfinite().all():
            squared_PP = _with_broken(squared_PP, x_MD, other_ED)
        return cls(squared_PP, x_MD.shape[-2])

    @property
    def between_MM(self) -> Tensor:
        """(…, M, M) squared distances between the rows."""
        return self.squared_PP[..., : self.rows, : self.rows]

    @property
    def norms_M(self) -> Tensor:
        """(…, M) the Euclidean norm of each row."""
        return self.squared_PP[..., : self.rows, -1].sqrt()

    @property
    def from_pivot_M(self) -> Tensor:
        """(…, M) the distance of each row to the pivot."""
        return self.squared_PP[..., : self.rows, self.rows].sqrt()

    @property
    def whole_M(self) -> Tensor:
        """(…, M) whether all values of a row are finite."""
        return self.between_MM.diagonal(dim1=-2, dim2=-1).isfinite()

    def mixed(self, shares_QM: Tensor) -> Geometry:
        r"""The geometry of mixtures of the rows, told from that of the rows: no row is read again.

        With the shares completed by the origin so that each mixture y = T x is affine, and D the squared distances,

        .. math:: \|y_i - y_k\|^2 = -\tfrac{1}{2} (t_i - t_k)^\top D\, (t_i - t_k)

        Args:
            shares_QM: (…, Q, M) what each row contributes to each mixture.

        Example:
            >>> geometry = Geometry.of(torch.tensor([[0.0], [2.0], [9.0]]))
            >>> geometry.mixed(torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])).between_MM
            tensor([[ 0., 64.],
                    [64.,  0.]], dtype=torch.float64)
        """
        T_QP = self._affine(shares_QM.to(self.squared_PP))
        far_PP = self.squared_PP.isinf()
        A_QQ = T_QP @ self.squared_PP.where(~far_PP, 0) @ T_QP.mT
        own_Q = A_QQ.diagonal(dim1=-2, dim2=-1) / 2
        squared_QQ = A_QQ - own_Q.unsqueeze(-1) - own_Q.unsqueeze(-2)
        squared_QQ = (squared_QQ / 2 + squared_QQ.mT / 2).clamp(min=0)  # products are rounded one way and the other
        if far_PP.any():
            part_QP = (T_QP != 0).to(T_QP)
            squared_QQ = squared_QQ.where(part_QP @ far_PP.to(T_QP) @ part_QP.mT == 0, torch.inf)
        return Geometry(squared_QQ, shares_QM.shape[-2])

    def _affine(self, shares_QM: Tensor) -> Tensor:
        """The shares of all points in each mixture, and the points that are not rows as they are."""
        points, rows, mixtures = self.squared_PP.shape[-1], self.rows, shares_QM.shape[-2]
        T_QP = shares_QM.new_zeros(*self.squared_PP.shape[:-2], mixtures + points - rows, points)
        T_QP[..., :mixtures, :rows] = shares_QM
        rest_Q = 1 - shares_QM.sum(-1)
        T_QP[..., :mixtures, -1] = rest_Q.where(rest_Q.abs() > ROUNDING, 0)
        T_QP[..., mixtures:, rows:] = torch.eye(points - rows).to(T_QP)
        return T_QP


def _with_broken(squared_PP: Tensor, x_MD: Tensor, other_ED: Tensor) -> Tensor:
    """The distances with broken points at inf, and those that overflowed computed again in float64."""
    lost_P = ~squared_PP[..., -1].isfinite()
    broken_P = lost_P.clone()
    rows = x_MD.shape[-2]
    broken_P[..., :rows][lost_P[..., :rows]] = ~x_MD[lost_P[..., :rows]].isfinite().all(-1)
    broken_P[..., rows:-1] = ~other_ED.isfinite().all(-1)
    broken_P[..., -1] = False
    apart_PP = broken_P.unsqueeze(-1) | broken_P.unsqueeze(-2)
    if not squared_PP.where(~apart_PP, 0).isfinite().all():
        squared_PP = kernels.squared_distances_by_blocks(x_MD, other_ED, torch.float64)
    return squared_PP.where(~apart_PP, torch.inf)
