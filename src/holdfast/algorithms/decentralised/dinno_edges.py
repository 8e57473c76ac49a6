"""DiNNO with a dual for each link."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from holdfast.algorithms.decentralised.dinno import DiNNO
from holdfast.cohort import Cohort
from holdfast.inbox import PeerInbox
from holdfast.layout import Layout
from holdfast.message import Message
from holdfast.types import FloatArray, IntArray, State

__all__ = ["DiNNOEdges"]


class DiNNOEdges(DiNNO):
    r"""DiNNO for links that lose messages one way: a dual for each link, brought up to date whenever it delivers.

    Each node sends the sum :math:`\sigma_i = \sum_k \rho_k \theta_i^k` beside its model. When i hears j, its dual of
    that link becomes all that has come together since the first round, heard or not,

    .. math:: \lambda_{ij} \leftarrow \sigma_i - \sigma_j, \qquad p_i = \sum_j \lambda_{ij}

    and stays as it is when j is not heard. Who was away for some rounds makes up for them, as its model stayed where it
    was. Both ends of a link agree, λ_ij = -λ_ji, as soon as it has delivered both
    ways, and the error until then does not add up. If nothing is ever lost this is `dinno` on a fixed graph. On a graph
    that changes, a link that comes back stands for the rounds in which it was away as well.

    A node sends two rows, and remembers one for each of the N nodes: for tens of nodes, not for thousands. The sums
    grow with the rounds, and so does their rounding: after 1000 rounds of ρθ = 1 to about 1e-4. A robust rule guards
    the primal problem alone, for a dual knows but one neighbour.

    Source: Yu, Vincent & Schwager 2022, "DiNNO", Algorithm 1, with a dual for each link as in its published program for
    changing graphs; sums instead of increments as in Hadjicostis, Vaidya & Domínguez-García 2016, "Robust Distributed
    Average Consensus via Exchange of Running Sums".

    Example:
        >>> DiNNOEdges(rho=0.3).says
        ('x', 'sum')
    """

    says: ClassVar[tuple[str, ...]] = ("x", "sum")
    balanced: ClassVar[bool] = False

    def widths(self, layout: Layout) -> dict[str, int]:
        """Only parameters have duals."""
        return {"x": layout.columns, "sum": layout.parameters}

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """What DiNNO starts with, the sums, and the duals of the links to all nodes, in place of their sum."""
        state = super().start_nodes(x_KD, cohort)
        zero_KP = state.pop("dual")
        return {
            **state,
            "sum": zero_KP,
            "round": torch.zeros(len(x_KD), dtype=torch.int64, device=x_KD.device),
            "duals": zero_KP.new_zeros(len(x_KD), len(cohort.data.shards), zero_KP.shape[1]),
        }

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """Say where the round starts, and the sum up to there."""
        x_KD = node["x"]
        # Who was away adds what the others have added meanwhile, or its sum would lag by a multiple of the model.
        added_K = self._total(cohort.round) - self._total(node["round"].cpu().numpy())
        added_K1 = torch.from_numpy(added_K).to(x_KD).unsqueeze(1)
        sum_KP = node["sum"] + added_K1 * x_KD[:, : node["sum"].shape[1]]
        known = {**node, "sum": sum_KP, "round": torch.full_like(node["round"], cohort.round)}
        return known, Message({"x": x_KD, "sum": sum_KP}, cohort.samples(), node["loss"])

    def _total(self, rounds: IntArray | int) -> FloatArray:
        """Σρ_k over so many rounds."""
        s = self.rho_scaling
        grown = rounds if s == 1 else s / (s - 1) * np.expm1(np.log(s) * rounds)
        return np.asarray(self.rho * grown, dtype=np.float64)

    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        """The duals of the links that delivered, and then the primal problem."""
        duals_KNP = _heard(node, inbox)
        return self.primal({**node, "duals": duals_KNP}, duals_KNP.sum(1), inbox.apart("x"), inbox, cohort)


def _heard(node: State, inbox: PeerInbox) -> Tensor:
    """(K, N, P) the duals, with those of the links that delivered brought up to date."""
    assert inbox.senders_S is not None
    receivers_E = np.repeat(np.arange(len(inbox.degrees_K)), inbox.degrees_K)
    columns_E = inbox.links_KS.indices.astype(np.int64)
    known = inbox.senders_S[columns_E] >= 0
    at, columns = torch.from_numpy(receivers_E[known]), torch.from_numpy(columns_E[known])
    senders = torch.from_numpy(inbox.senders_S)[columns]
    duals_KNP = node["duals"].clone()
    duals_KNP[at, senders] = node["sum"][at] - inbox.heard["sum"][columns]
    return duals_KNP
