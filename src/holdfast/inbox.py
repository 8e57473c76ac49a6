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
        senders_S: the node that sent each row, a newer row after an older one, and -1 for what liars tell one receiver;
            ``None`` where nobody asks.
        kept_K: what W leaves of each receiver's own row once the links over which that went out have had their weight;
            ``None`` if as much as those leave over which rows came in.
    """

    own: Mapping[str, Tensor]
    heard: Mapping[str, Tensor]
    links_KS: sparse.csr_array
    rule: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    least: int = 1
    senders_S: IntArray | None = None
    kept_K: FloatArray | None = None

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

    def towards(self, channel: str) -> Tensor:
        r"""(K, D) what mixing changes, :math:`\sum_j W_{ij} (x_j - x_i)`; exactly 0 where all agree.

        What adds this up over the rounds would add up the rounding of `mix` less the own row, too.

        Example:
            >>> links = sparse.csr_array(np.array([[0.0, 0.5], [0.5, 0.0]]))
            >>> x = torch.tensor([[0.0], [4.0]])
            >>> PeerInbox({"x": x}, {"x": x}, links).towards("x").flatten().tolist()
            [2.0, -2.0]
        """
        own_KD, heard_SD = self.own[channel], self.heard[channel]
        if self.rule is not None:
            return self._by_rule(own_KD, heard_SD) - own_KD
        near_D = own_KD[0].nan_to_num(0.0, 0.0, 0.0)  # rounding is by the distance to it, not by the rows' own size
        given_K = torch.from_numpy(1.0 - self.left_K).to(own_KD)
        return _product(self.links_KS, heard_SD - near_D) - given_K.unsqueeze(1) * (own_KD - near_D)

    def apart(self, channel: str) -> Tensor:
        r"""(K, D) how far each receiver is from its neighbourhood, :math:`\sum_j (x_i - x_j)` over whom it heard.

        With a rule, that is d_i + 1 times what the own row is off the rule's, all rows weighing the same.

        Example:
            >>> links = sparse.csr_array(np.array([[0.0, 0.1], [0.1, 0.0]]))
            >>> x = torch.tensor([[0.0], [4.0]])
            >>> PeerInbox({"x": x}, {"x": x}, links).apart("x").flatten().tolist()
            [-4.0, 4.0]
        """
        rows_K = self.degrees_K + 1
        alike = self._weighing(np.repeat(1.0 / rows_K, self.degrees_K))
        return -torch.from_numpy(rows_K).to(self.own[channel]).unsqueeze(1) * alike.towards(channel)

    def pushed(self, channel: str) -> Tensor:
        r"""(K, D) :math:`\sum_j W_{ij} x_j` where W's columns add up to 1, and not its rows.

        What a link does not deliver stays with its sender, so that the sum over all nodes is kept. With a rule, that is
        the sum of the weights times what the rule makes of the rows.

        Example:
            >>> links = sparse.csr_array(np.array([[0.0, 0.0], [0.5, 0.0]]))  # one way
            >>> x = torch.tensor([[2.0], [4.0]])
            >>> PeerInbox({"x": x}, {"x": x}, links, kept_K=np.array([0.5, 1.0])).pushed("x").flatten().tolist()
            [1.0, 5.0]
        """
        kept_K = self.left_K if self.kept_K is None else self.kept_K
        total_K = kept_K + np.asarray(self.links_KS.sum(axis=1)).ravel()
        shares = self._weighing(self.links_KS.data / np.repeat(total_K, self.degrees_K))
        return torch.from_numpy(total_K).to(self.own[channel]).unsqueeze(1) * shares.mix(channel)

    def as_sent(self, nodes_K: IntArray) -> PeerInbox:
        """The same with the receivers' own rows as the others decode them; of who sent nothing, zeros.

        Args:
            nodes_K: the receivers.
        """
        if self.senders_S is None:
            return self
        newest = {int(node): column for column, node in enumerate(self.senders_S)}
        column_K = np.array([newest.get(int(node), -1) for node in nodes_K], dtype=np.int64)
        spoke, own = torch.from_numpy(column_K >= 0), {}
        for name, own_KD in self.own.items():
            own[name] = torch.zeros_like(own_KD)
            own[name][spoke] = self.heard[name][torch.from_numpy(column_K)[spoke]]
        return replace(self, own=own)

    def _weighing(self, weights_E: FloatArray) -> PeerInbox:
        """The same with other weights on the links."""
        links = self.links_KS
        return replace(self, links_KS=sparse.csr_array((weights_E, links.indices, links.indptr), shape=links.shape))

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
        told = sparse.csr_array((links.data, columns_E, links.indptr), shape=shape)
        senders = None if self.senders_S is None else np.append(self.senders_S, np.full(len(receivers), -1))
        return replace(self, heard=heard, links_KS=told, senders_S=senders)

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
