"""What a receiver has heard when a round closes: the coordinator's inbox, and those of peers on a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from holdfast.types import BoolArray, FloatArray, IntArray

__all__ = ["PeerInbox", "ServerInbox"]

GATHER_LIMIT = 2**26
"""How many numbers are gathered at once when a robust rule runs over neighbourhoods."""


@dataclass(frozen=True)
class ServerInbox:
    """What the coordinator has heard.

    Args:
        nodes_M: who spoke, sorted.
        channels: by name, the (M, D) rows as decoded.
        combined: by name, the (D,) row that the aggregation rule makes of them; empty where they are too few.
        weights_M: the weight that each row states.
        losses_M: the training loss that each row states.
        staleness_M: by how many rounds each row is late.
        parameters: how many of the D columns are parameters; the rest are buffers.
        silent_L: who worked and kept silent, sorted.
        population: N, how many nodes there are, at work or not.
    """

    nodes_M: IntArray
    channels: Mapping[str, Tensor]
    combined: Mapping[str, Tensor]
    weights_M: Tensor
    losses_M: Tensor
    staleness_M: IntArray
    parameters: int
    silent_L: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    population: int = 0


@dataclass(frozen=True)
class PeerInbox:
    """What K peers have heard from their neighbours.

    Args:
        own: by channel, (K, D) the receivers' own rows, as they are and not as they were sent.
        heard: by channel, (S, D) the rows of the senders, as decoded.
        links_KS: mixing weights W_ij of the links over which a row came; what did not come is missing.
        rule: the rule over each neighbourhood, from (G, M, D) rows, the receiver's own first, their (G, M) weights
            W_ii and W_ij, and the own rows (G, D) to (G, D); ``None`` mixes by W.
        least: the least number of rows, the own included, that the rule accepts.
    """

    own: Mapping[str, Tensor]
    heard: Mapping[str, Tensor]
    links_KS: sparse.csr_array
    rule: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    least: int = 1

    @property
    def degrees_K(self) -> IntArray:
        """(K,) from how many neighbours each receiver heard."""
        degrees_K: IntArray = np.diff(self.links_KS.indptr).astype(np.int64)
        return degrees_K

    @property
    def left_K(self) -> FloatArray:
        """(K,) W_ii: the weight that the links which delivered leave to the own row."""
        left_K: FloatArray = 1.0 - np.asarray(self.links_KS.sum(axis=1)).ravel()
        return left_K

    @property
    def short_K(self) -> BoolArray:
        """(K,) who heard too few rows for the rule, and so keeps its own."""
        short_K: BoolArray = self.degrees_K + 1 < self.least
        return short_K

    def mix(self, channel: str) -> Tensor:
        r"""(K, D) what each receiver makes of its neighbourhood.

        Without a rule that is :math:`\sum_j W_{ij} x_j`, the weight of a missing neighbour going to the own row, as one
        matrix product; with one, the rule over the own row and the neighbours'.

        Example:
            >>> links = sparse.csr_array(np.array([[0.0, 0.5], [0.5, 0.0]]))
            >>> x = torch.tensor([[0.0], [4.0]])
            >>> PeerInbox({"x": x}, {"x": x}, links).mix("x").flatten().tolist()
            [2.0, 2.0]
        """
        own_KD, heard_SD = self.own[channel], self.heard[channel]
        if self.rule is not None:
            return self._by_rule(own_KD, heard_SD)
        left_K = torch.from_numpy(self.left_K).to(own_KD)
        return left_K.unsqueeze(1) * own_KD + _product(self.links_KS, heard_SD)

    def hearing(self, senders: IntArray) -> PeerInbox:
        """The same with some of the senders alone, mixed by W."""
        heard = {name: rows_SD[torch.from_numpy(senders)] for name, rows_SD in self.heard.items()}
        return PeerInbox(self.own, heard, sparse.csr_array(self.links_KS[:, senders]))

    def told(self, rows: Mapping[str, Tensor], liars_S: BoolArray, receivers: IntArray) -> PeerInbox:
        """The same where some receivers hear a row of their own from every liar, instead of what this sent to all.

        Args:
            rows: by channel, (R, D) what each of the receivers hears.
            liars_S: (S,) which senders are liars.
            receivers: (R,) which of the K receivers they are.

        Example:
            >>> links = sparse.csr_array(np.array([[0.0, 0.25], [0.5, 0.5]]))
            >>> inbox = PeerInbox({"x": torch.zeros(2, 1)}, {"x": torch.ones(2, 1)}, links)
            >>> inbox.told({"x": torch.tensor([[8.0]])}, np.array([False, True]), np.array([0])).mix("x").tolist()
            [[2.0], [1.0]]
        """
        links, (K, S) = self.links_KS, self.links_KS.shape
        column_K = np.full(K, -1)
        column_K[receivers] = S + np.arange(len(receivers))
        column_E = np.repeat(column_K, self.degrees_K)
        columns_E = np.where(liars_S[links.indices] & (column_E >= 0), column_E, links.indices)
        shape = (K, S + len(receivers))
        heard = {name: torch.cat([heard_SD, rows[name]]) for name, heard_SD in self.heard.items()}
        return replace(self, heard=heard, links_KS=sparse.csr_array((links.data, columns_E, links.indptr), shape=shape))

    def _by_rule(self, own_KD: Tensor, heard_SD: Tensor) -> Tensor:
        assert self.rule is not None
        mixed_KD, left_K = own_KD.clone(), self.left_K
        degrees_K = np.where(self.short_K, -1, self.degrees_K)
        for degree in np.unique(degrees_K[degrees_K >= 0]).tolist():
            alike = np.flatnonzero(degrees_K == degree)
            step = max(1, GATHER_LIMIT // ((degree + 1) * own_KD.shape[1]))
            for start in range(0, len(alike), step):
                some = alike[start : start + step]
                links_GE = self.links_KS.indptr[some][:, None] + np.arange(degree)
                senders = torch.from_numpy(self.links_KS.indices[links_GE].astype(np.int64))
                rows_GMD = torch.cat([own_KD[some].unsqueeze(1), heard_SD[senders]], dim=1)
                W_GM = np.column_stack([left_K[some], self.links_KS.data[links_GE]])
                mixed_KD[some] = self.rule(rows_GMD, torch.from_numpy(W_GM).to(own_KD.device), own_KD[some])
        return mixed_KD


def _product(links_KS: sparse.csr_array, heard_SD: Tensor) -> Tensor:
    """W x; dense where W is, but never where 0 · NaN would carry one node's NaN to nodes that it has no link to."""
    K, S = links_KS.shape
    if links_KS.nnz > 0.25 * K * S and bool(heard_SD.sum().isfinite()):
        return torch.from_numpy(links_KS.toarray()).to(heard_SD) @ heard_SD
    coo = links_KS.tocoo()
    indices = torch.from_numpy(np.stack([coo.row, coo.col]).astype(np.int64))
    W_KS = torch.sparse_coo_tensor(indices, torch.from_numpy(coo.data), (K, S), check_invariants=False)
    product_KD: Tensor = torch.sparse.mm(W_KS.to(heard_SD.dtype).to(heard_SD.device), heard_SD)
    return product_KD
