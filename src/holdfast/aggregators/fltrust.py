"""FLTrust: rows count as far as they point where a trusted row points."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import OfMixtures
from holdfast.aggregators.mixture import Mixture
from holdfast.types import State

__all__ = ["Fltrust"]


class Fltrust(OfMixtures):
    """The rows at the length of a trusted row, weighed by how far they point the same way.

    FLTrust = Σ_i t_i · ‖v‖ / ‖x_i‖ · x_i / Σ_i t_i,  t_i = max(0, ⟨x_i, v⟩ / (‖x_i‖ ‖v‖))

    where v is the row of the node that the coordinator trusts, because it computes on clean data (the root set). It is
    the pivot and not one of the rows; without a pivot it is the first row, which then counts for nothing itself. A row
    that is 0 or not finite is not trusted; where no row is, the result is 0: an update of nothing. Weights are ignored,
    since a liar states its own. The result is never longer than v, however many rows lie. Costs O(M · D) to compare the
    rows to v, and the weighted mean.

    Example:
        >>> x_MD = torch.tensor([[8.0, 0.0], [0.0, 5.0], [-99.0, 0.0], [3.0, 3.0]])
        >>> Fltrust()(x_MD, pivot_D=torch.tensor([2.0, 0.0]))
        tensor([1.7574, 0.5858])

    Reference:
        Cao et al., "FLTrust: Byzantine-robust Federated Learning via Trust Bootstrapping" (NDSS 2021), Section IV.
    """

    trusted: int = Field(0, ge=0, description="the node that computes on clean data, whose row the coordinator trusts")

    @property
    def trusted_node(self) -> int:
        """The node that computes on clean data."""
        return self.trusted

    def aggregate_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Tensor]:
        """The state, unchanged, and the (…, D) trusted sum of the (…, M, D) rows."""
        inner_M, lengths_M, length = _compared(rows, pivot_D)
        cosine_M = inner_M / lengths_M / length
        trust_M = cosine_M.where(cosine_M > 0, 0)
        if pivot_D is None:
            trust_M[..., 0] = 0
        total = trust_M.sum(-1, keepdim=True)
        scale_M = (length / lengths_M / total.where(total > 0, 1)).where(trust_M > 0, 0)
        return state, rows.combined(trust_M * scale_M)


def _compared(rows: Mixture, pivot_D: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """(…, M) ⟨x_i, v⟩ and ‖x_i‖, and (…, 1) ‖v‖, summed in float64: next to a long row, distances would not tell."""
    sums = []
    v_D = rows.combined(torch.eye(rows.rows, dtype=torch.float64)[0]) if pivot_D is None else pivot_D
    for x_MC, v_C in rows.blocks_beside(v_D):
        x_MC, v_C = x_MC.double(), v_C.double()
        inner_M = (x_MC @ v_C.unsqueeze(-1)).squeeze(-1)
        sums.append(torch.cat([inner_M, x_MC.square().sum(-1), v_C.square().sum(-1, keepdim=True)], dim=-1))
    total, count = torch.stack(sums).sum(0), rows.rows
    return total[..., :count], total[..., count:-1].sqrt(), total[..., -1:].sqrt()
