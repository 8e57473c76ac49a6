"""The rows of an inbox as the stages before a rule have mixed them, without ever writing the mixtures down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from holdfast import kernels
from holdfast.aggregators.geometry import Geometry

__all__ = ["Mixture"]


@dataclass(frozen=True)
class Mixture:
    """Rows y_i = Σ_j T_ij x_j, which a rule sees through their geometry, in order, or as a weighted sum.

    Args:
        x_MD: (…, M, D) rows as they came.
        weights_Q: (…, Q) the weights that the rows state; ``None`` weighs them equally.
        shares_QM: (…, Q, M) T in float64; ``None`` for the rows as they came. A row of share 0 may hold anything.
        known: the geometry of the mixtures, where it is known.

    Example:
        >>> import torch
        >>> pair = Mixture(torch.tensor([[1.0], [3.0], [5.0]])).mixed(torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]))
        >>> pair.rows, pair.combined(torch.tensor([0.5, 0.5]))
        (2, tensor([3.5000]))
    """

    x_MD: Tensor
    weights_Q: Tensor | None = None
    shares_QM: Tensor | None = None
    known: Geometry | None = None

    @property
    def rows(self) -> int:
        """How many mixtures there are."""
        return (self.x_MD if self.shares_QM is None else self.shares_QM).shape[-2]

    @cached_property
    def geometry(self) -> Geometry:
        """How the mixtures lie to each other and to the origin."""
        return self.known or self.seen_from(None)

    def seen_from(self, pivot_D: Tensor | None) -> Geometry:
        """The geometry with a (…, D) pivot among the points."""
        geometry = Geometry.of(self.x_MD, pivot_D)
        return geometry if self.shares_QM is None else geometry.mixed(self.shares_QM)

    def mixed(self, shares_RQ: Tensor, weights_R: Tensor | None = None) -> Mixture:
        """Mixtures of these mixtures, by (…, R, Q) shares."""
        shares_RQ = shares_RQ.double()
        shares_RM = shares_RQ if self.shares_QM is None else shares_RQ @ self.shares_QM
        return Mixture(self.x_MD, weights_R, shares_RM, self.geometry.mixed(shares_RQ))

    def combined(self, weights_Q: Tensor) -> Tensor:
        """(…, D) Σ_i w_i y_i; what weighs 0 is not touched, whatever it holds."""
        weights_Q = weights_Q.to(self.x_MD.device).expand(*self.x_MD.shape[:-2], -1)
        if self.shares_QM is not None:
            weights_Q = (weights_Q.to(self.shares_QM).unsqueeze(-2) @ self.shares_QM).squeeze(-2)
        return kernels.combined(self.x_MD, weights_Q)

    def ordered(self, ranks: kernels.Ranks) -> Tensor:
        """(…, D) of each coordinate the mean of some ranks, or of the values nearest to it."""
        return kernels.ordered(self.x_MD, ranks, self.shares_QM)

    def tensor(self) -> Tensor:
        """(…, Q, D) the mixtures, written down."""
        return self.x_MD if self.shares_QM is None else kernels.mixed(self.x_MD, self.shares_QM)

    def blocks(self) -> Iterator[Tensor]:
        """The mixtures in blocks of columns, (…, Q, C)."""
        for x_MC in kernels.blocks(self.x_MD):
            yield x_MC if self.shares_QM is None else kernels.mixed(x_MC, self.shares_QM)

    def blocks_beside(self, row_D: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """The same blocks, each beside those columns of a (…, D) row."""
        for x_QC, columns in zip(self.blocks(), kernels.spans(self.x_MD), strict=True):
            yield x_QC, row_D[..., columns]
