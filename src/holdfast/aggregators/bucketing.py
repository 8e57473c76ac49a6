"""Means of random groups of rows, before another rule."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import Mixing, round_of
from holdfast.aggregators.mixture import Mixture
from holdfast.seeding import generator
from holdfast.types import State

__all__ = ["Bucketing"]


class Bucketing(Mixing):
    """The rows are put into random groups of s, and each group becomes its mean, before another rule.

    y_q = 1 / |G_q| · Σ_{i ∈ G_q} x_i,  G_q the rows π(q s), …, π(q s + s - 1) of a random permutation π

    The last group may be short. A row that is not finite is left out of the mean of its group wherever a finite row
    is left there; a group without any is left to the next rule. The groups are drawn anew each round, and all inboxes
    of a batch share them. Means vary less than rows, which helps where the nodes' data differ. f lying rows spoil at
    most f of the ⌈n / s⌉ groups: the breakdown point is that of the next rule over s. Weights are dropped, since a
    liar states its own. Costs O(M² · D) to read the distances once; the means are never written down unless the next
    rule must see them.

    Example:
        >>> import torch
        >>> Bucketing(s=2, seed=1).transform({}, torch.tensor([[0.0], [1.0], [2.0], [4.0], [8.0]]))[1].flatten()
        tensor([5.0000, 0.5000, 4.0000])

    Reference:
        Karimireddy, He & Jaggi, "Byzantine-Robust Learning on Heterogeneous Datasets via Bucketing" (ICLR 2022),
        Algorithm 1.
    """

    s: int = Field(2, ge=1, description="how many rows a group has")
    seed: int = Field(0, ge=0, lt=2**63, description="the seed of the permutations")

    def leaves(self, rows: int) -> int:
        """⌈n / s⌉ groups."""
        return -(-rows // self.s)

    def share(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and equal shares of the finite rows of each group."""
        whole_M = rows.geometry.whole_M
        member_QM = self._groups(rows.rows, round_of(state)).to(whole_M.device)
        whole_QM = member_QM & whole_M.unsqueeze(-2)
        kept_QM = whole_QM.where(whole_QM.any(-1, keepdim=True), member_QM).double()
        return state, kept_QM / kept_QM.sum(-1, keepdim=True)

    def _groups(self, rows: int, round: int) -> Tensor:
        """(Q, M) which rows are in which group."""
        order_M = torch.arange(rows)
        if self.s > 1:
            order_M = torch.randperm(rows, generator=generator(self.seed, "bucketing", round))
        member_QM = torch.zeros(self.leaves(rows), rows, dtype=torch.bool)
        member_QM[torch.arange(rows) // self.s, order_M] = True
        return member_QM
