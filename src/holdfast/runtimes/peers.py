"""Rounds among peers: the nodes hosted here work, exchange with their neighbours, and merge what they hear."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from torch import Tensor, from_numpy

from holdfast.algorithms import PeerAlgorithm
from holdfast.checkpoint import grouped
from holdfast.cohort import Cohort
from holdfast.message import RowStore
from holdfast.packet import Packet
from holdfast.parts import NodeSide, Spoken
from holdfast.prepare import Prepared
from holdfast.record.recorder import Recorder
from holdfast.round import merge_peers, speak
from holdfast.runtimes.pace import Work
from holdfast.runtimes.rounds import Rounds
from holdfast.types import BoolArray, FloatArray, IntArray, State

__all__ = ["PeerRounds", "losses", "side_of", "side_state"]


class PeerRounds(Rounds):
    """Every round of the peers hosted here; how they reach the others is left open."""

    def __init__(self, run: Prepared, log: Recorder, here: IntArray | None = None) -> None:
        super().__init__(run, log)
        self.here = run.everyone if here is None else here
        self.nodes = NodeSide()

    @property
    def algorithm(self) -> PeerAlgorithm:
        """What is computed."""
        algorithm = self.run.parts.algorithm
        assert isinstance(algorithm, PeerAlgorithm)
        return algorithm

    @property
    def watched(self) -> IntArray:
        """The nodes whose outages are recorded here."""
        return self.here

    @abstractmethod
    def exchange(self, round: int, packets: Sequence[Packet]) -> Sequence[Packet]:
        """Send the packets of the nodes here; theirs, and those of their neighbours, of this round."""

    def hosts(self, cohort: Cohort) -> list[Cohort]:
        """The groups of nodes that compute together: here, everyone."""
        return [cohort]

    def play(self, round: int) -> None:
        """Local work → exchange → merge."""
        running = self.here[self.weather.up(round, self.here)]
        work_K = self._work(round, running)
        cohort = self.run.cohort(running, round, work_K)
        said, packets = speak(self.run.parts, self.nodes, self.hosts(cohort) if len(running) else [], None)
        if said:
            self._train_loss(round, running, losses(said))
        samples_K = work_K * self.algorithm.effort(cohort.sizes_K)
        # Where one machine works for all nodes, each has its share in it.
        self._worked(round, running, samples_K / max(1, len(running)) if self.algorithm.pools else samples_K)
        W = self.run.weights(round)
        self._send(round, W, packets)
        now = [
            p
            for packet in self.exchange(round, packets)
            for p in self._in_time(round, packet, np.ones(len(packet), dtype=bool))
        ]
        heard = Packet.gather(now + self._due(round))
        links_KS = self._links(round, W, running, heard)
        kept_K = self._kept(round, W, running, packets) if self.algorithm.pushes else None
        for spoken in said:
            here = np.searchsorted(running, spoken.cohort.nodes_K)
            kept = None if kept_K is None else kept_K[here]
            merge_peers(self.run.parts, self.nodes, spoken, heard, sparse.csr_array(links_KS[here]), kept, self.log)
        if self.pace is not None:
            self.pace.together(Work(running, samples_K, self._spent("down", running), self._spent("up", running)))

    def models(self) -> Tensor:
        """The (K, D) models of the nodes hosted here."""
        algorithm, store = self.algorithm, self.nodes.stores["algorithm"]
        started = np.setdiff1d(self.here, store.missing(self.here))
        if len(started) == len(self.here):
            return algorithm.models(store.take(started))
        x_KD = self.run.parts.initial_D.repeat(len(self.here), 1)
        if len(started):
            x_KD[from_numpy(np.searchsorted(self.here, started))] = algorithm.models(store.take(started))
        return x_KD

    def _send(self, round: int, W: sparse.csr_array, packets: Sequence[Packet]) -> None:
        """Count what each node sends to its neighbours, whoever of them is there to hear it."""
        links = sparse.coo_array(W)
        degrees_N = np.bincount(links.col[links.row != links.col], minlength=len(self.run.everyone))
        for packet in packets:
            self._sent(round, packet, degrees_N[packet.nodes_K])

    def _links(
        self, round: int, W: sparse.csr_array, receivers: IntArray, packets: Sequence[Packet]
    ) -> sparse.csr_array:
        """(K, S) the weights of the links over which a packet's row came to a receiver."""
        senders = np.concatenate([p.nodes_K for p in packets]) if packets else np.zeros(0, dtype=np.int64)
        sent = np.concatenate([np.full(len(p), p.round) for p in packets]) if packets else senders
        newest = {int(node): column for column, node in enumerate(senders)}  # packets are in the order of their rounds
        links = sparse.coo_array(W[receivers][:, senders])
        rows, columns, weights = links.row.astype(np.int64), links.col.astype(np.int64), links.data
        keep = (receivers[rows] != senders[columns]) & np.isin(columns, list(newest.values()))
        for then in np.setdiff1d(sent[columns], [round]).tolist():  # a late row comes to those to whom it was sent
            those = sent[columns] == then
            keep[those] &= self.run.weights(then)[receivers[rows[those]], senders[columns[those]]] != 0
        rows, columns, weights = rows[keep], columns[keep], weights[keep]
        arrives = np.ones(len(rows), dtype=bool)
        for then in np.unique(sent[columns]).tolist():
            those = sent[columns] == then
            arrives[those] = self.weather.delivers(then, senders[columns[those]], receivers[rows[those]])
        self._received(round, packets, receivers[rows], columns, arrives)
        shape = (len(receivers), len(senders))
        return sparse.csr_array((weights[arrives], (rows[arrives], columns[arrives])), shape=shape)

    def _kept(self, round: int, W: sparse.csr_array, senders: IntArray, packets: Sequence[Packet]) -> FloatArray:
        """(K,) what W leaves of each sender's row once the links that deliver in this round have had their weight."""
        spoke = [p.nodes_K[self.weather.lateness(round, p.nodes_K) == 0] for p in packets]
        links = sparse.coo_array(W[:, senders])
        receivers, columns = links.row.astype(np.int64), links.col.astype(np.int64)
        heard = np.isin(senders, np.concatenate(spoke))[columns] if spoke else np.zeros(len(columns), dtype=bool)
        heard &= (receivers != senders[columns]) & self.weather.up(round, receivers)
        heard &= self.weather.delivers(round, senders[columns], receivers)
        return 1.0 - np.bincount(columns[heard], links.data[heard], minlength=len(senders)).astype(np.float64)

    def _received(
        self, round: int, packets: Sequence[Packet], receivers_E: IntArray, columns_E: IntArray, arrives_E: BoolArray
    ) -> None:
        """Count what each node receives from its neighbours, and what a link to it has lost."""
        if packets:
            nodes, at_E, links = np.unique(receivers_E[arrives_E], return_inverse=True, return_counts=True)
            bytes_S = np.concatenate([packet.bytes_K for packet in packets])
            payload = np.zeros(len(nodes), dtype=np.int64)
            np.add.at(payload, at_E, bytes_S[columns_E[arrives_E]])
            self._traffic("down", nodes, payload, links * packets[0].header_bytes)
        for node, count in zip(*np.unique(receivers_E[~arrives_E], return_counts=True), strict=True):
            self.log.event(round, "lost", int(node), messages=int(count))

    def state(self) -> State:
        """Everything that the next round depends on, as named tensors."""
        return super().state() | side_state(self.nodes)

    def restore(self, tensors: State) -> None:
        """Go on from a state."""
        super().restore(tensors)
        self.nodes = side_of({key: value.to(self.run.engine.device) for key, value in tensors.items()})


def losses(said: Sequence[Spoken]) -> FloatArray:
    """(K,) the training losses of what some nodes said."""
    joined: FloatArray = np.concatenate([spoken.message.losses_K.cpu().numpy() for spoken in said])
    return joined


def side_state(side: NodeSide) -> State:
    """What nodes remember, as named tensors."""
    return {f"nodes/{name}/{k}": v for name, store in side.stores.items() for k, v in store.state().items()}


def side_of(tensors: State) -> NodeSide:
    """What nodes remember, from named tensors."""
    side = NodeSide()
    for name, state in grouped(tensors, "nodes").items():
        side.stores[name] = RowStore.of(state)
    return side
