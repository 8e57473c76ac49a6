"""All nodes in this process: a round costs what its arithmetic costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse

from holdfast.algorithms import ServerAlgorithm
from holdfast.cohort import Cohort
from holdfast.message import Message, RowStore
from holdfast.packet import Packet
from holdfast.prepare import Prepared
from holdfast.record.recorder import Recorder
from holdfast.round import NodeSide, ServerSide, Spoken, answer, merge_peers, merge_server, read, speak
from holdfast.runtimes.measure import measure
from holdfast.runtimes.weather import Weather
from holdfast.seeding import address
from holdfast.types import BoolArray, IntArray, State

__all__ = ["Simulation"]

TOTALS = ("bytes_up", "bytes_down", "header_bytes_up", "header_bytes_down", "speakers")
"""What is added up over the nodes of a round."""
OUTAGES_UP_TO = 100_000
"""Up to how many nodes every crash and return is an event; above, nobody looks at all nodes in every round."""


class Simulation:
    """One variant of an experiment, all of its nodes in this process.

    Args:
        run: the prepared variant.
        log: where events and metrics go.
    """

    def __init__(self, run: Prepared, log: Recorder) -> None:
        self.run, self.log = run, log
        self.weather = Weather(run.experiment.faults, run.experiment.seed)
        self.nodes = NodeSide()
        self.transit: list[tuple[int, Packet]] = []
        algorithm = run.parts.algorithm
        start = algorithm.start(run.parts.initial_D) if isinstance(algorithm, ServerAlgorithm) else {}
        self.server = ServerSide(start)
        self.totals = Counter[str]()
        self.messages = 0
        self.round = 0

    def hosts(self, cohort: Cohort) -> list[Cohort]:
        """The groups of nodes that compute together: here, everyone."""
        return [cohort]

    def step(self, round: int) -> None:
        """One round, from 1."""
        self.totals = Counter(dict.fromkeys(TOTALS, 0))
        self._outages(round)
        if self.run.peers:
            self._peer_round(round)
        else:
            self._server_round(round)
        for name, total in self.totals.items():
            self.log.metric(round, name, total)
        self.round = round

    def measure(self, round: int, last: bool = False) -> dict[str, float]:
        """Evaluate, record, and hand back the metrics of the whole run."""
        return measure(self.run, self.models(), round, last, self.log)

    def models(self) -> torch.Tensor:
        """The model, (1, D), or every peer's, (N, D)."""
        algorithm = self.run.parts.algorithm
        if isinstance(algorithm, ServerAlgorithm):
            return algorithm.model(self.server.algorithm).unsqueeze(0)
        store = self.nodes.stores["algorithm"]
        started = np.setdiff1d(self.run.everyone, store.missing(self.run.everyone))
        if len(started) == len(self.run.everyone):
            return algorithm.models(store.take(started))
        x_ND = self.run.parts.initial_D.repeat(len(self.run.everyone), 1)
        if len(started):
            x_ND[torch.from_numpy(started)] = algorithm.models(store.take(started))
        return x_ND

    def diverged(self) -> bool:
        """Whether the model, or every honest peer's, holds a value that is not finite."""
        finite_K = self.models().sum(1).isfinite()
        if self.run.peers:
            finite_K = finite_K[torch.from_numpy(self.run.honest)]
        return len(finite_K) > 0 and not bool(finite_K.any())

    # ------------------------------------------------------------ a round with a coordinator

    def _server_round(self, round: int) -> None:
        algorithm = self.run.parts.algorithm
        assert isinstance(algorithm, ServerAlgorithm)
        heard = algorithm.broadcast(self.server.algorithm)
        at_work = self._reached(round, heard)
        if not len(at_work):
            self._merge(round, [], [])
            return
        cohort = self.run.cohort(at_work, round, self._work(round, at_work))
        said, packets = speak(self.run.parts, self.nodes, self.hosts(cohort), heard, self.log)
        self._train_loss(round, said)
        self._merge(round, [spoken.silent() for spoken in said], self._upload(round, packets))

    def _asked(self, round: int) -> IntArray:
        """The nodes asked in this round, sorted."""
        experiment = self.run.experiment
        if experiment.asked == experiment.nodes:
            return self.run.everyone
        rng = np.random.default_rng(int(address(experiment.seed, "participation", round)))
        return np.sort(rng.choice(experiment.nodes, experiment.asked, replace=False, shuffle=False))

    def _reached(self, round: int, heard: Message) -> IntArray:
        """Who runs, was asked and has heard the broadcast."""
        asked = self._asked(round)
        running = asked[self.weather.up(round, asked)]
        reached = self.weather.reaches(round, running)
        for node in running[~reached].tolist():
            self.log.event(round, "lost", node, direction="down")
        size = sum(x.numel() * x.element_size() for x in heard.channels.values())
        self._traffic(round, "down", running, np.ones_like(running), size, Packet.broadcast_header(heard, round))
        self.messages += len(running)
        return running[reached]

    def _upload(self, round: int, packets: Sequence[Packet]) -> list[Packet]:
        """What of these packets arrives now; what is late stays in transit."""
        arrived = []
        for packet in packets:
            self._sent(round, packet, np.ones(len(packet), dtype=np.int64))
            there = self.weather.uploads(round, packet.nodes_K)
            for node in packet.nodes_K[~there].tolist():
                self.log.event(round, "lost", node, direction="up")
            arrived += self._in_time(round, packet, there)
        return arrived

    def _merge(self, round: int, silent: list[Spoken], arrived: list[Packet]) -> None:
        """Let the coordinator ask the silent until it wants to hear nobody more or nobody is left, then merge."""
        algorithm, parts = self.run.parts.algorithm, self.run.parts
        assert isinstance(algorithm, ServerAlgorithm)
        arrived = arrived + self._due(round)
        while any(len(spoken.cohort) for spoken in silent):
            wanted = algorithm.ask(self.server.algorithm, read(parts, arrived, round))
            asked, silent = _divided(silent, wanted)
            if not any(len(spoken.cohort) for spoken in asked):
                break
            arrived = arrived + self._upload(round, answer(parts, self.nodes, asked))
        merge_server(parts, self.server, arrived, round, self.log)

    # ------------------------------------------------------------ a round among peers

    def _peer_round(self, round: int) -> None:
        running = self.run.everyone[self.weather.up(round, self.run.everyone)]
        if not len(running):
            return
        cohort = self.run.cohort(running, round, self._work(round, running))
        said, packets = speak(self.run.parts, self.nodes, self.hosts(cohort), None, self.log)
        self._train_loss(round, said)
        W = self.run.weights(round)
        self._send(round, W, packets)
        now = [part for packet in packets for part in self._in_time(round, packet, np.ones(len(packet), dtype=bool))]
        packets = Packet.gather(now + self._due(round))
        links_KS = self._links(round, W, running, packets)
        for spoken in said:
            here = np.searchsorted(running, spoken.cohort.nodes_K)
            merge_peers(self.run.parts, self.nodes, spoken, packets, sparse.csr_array(links_KS[here]), self.log)

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
        rows, columns, weights = rows[keep], columns[keep], weights[keep]
        arrives = np.ones(len(rows), dtype=bool)
        for then in np.unique(sent[columns]).tolist():
            those = sent[columns] == then
            arrives[those] = self.weather.delivers(then, senders[columns[those]], receivers[rows[those]])
        self._received(round, packets, receivers[rows], arrives)
        shape = (len(receivers), len(senders))
        return sparse.csr_array((weights[arrives], (rows[arrives], columns[arrives])), shape=shape)

    def _received(self, round: int, packets: Sequence[Packet], receivers_E: IntArray, arrives_E: BoolArray) -> None:
        """Count what each node receives from its neighbours, and what a link to it has lost."""
        if packets:  # all of one size
            nodes, links = np.unique(receivers_E[arrives_E], return_counts=True)
            self._traffic(round, "down", nodes, links, packets[0].row_bytes, packets[0].header_bytes)
        for node, count in zip(*np.unique(receivers_E[~arrives_E], return_counts=True), strict=True):
            self.log.event(round, "lost", int(node), messages=int(count))

    # ------------------------------------------------------------ what both share

    def _outages(self, round: int) -> None:
        """Record who went down or came back, and who is slow."""
        if not self.run.experiment.faults or self.run.experiment.nodes > OUTAGES_UP_TO:
            return
        nodes = self.run.everyone
        up, before = (
            self.weather.up(round, nodes),
            self.weather.up(round - 1, nodes) if round > 1 else np.ones(len(nodes), bool),
        )
        for kind, struck in (("crash", before & ~up), ("return", up & ~before)):
            for node in nodes[struck].tolist():
                self.log.event(round, kind, node)

    def _work(self, round: int, nodes_K: IntArray) -> np.ndarray:
        work_K = self.weather.work(round, nodes_K)
        for node, share in zip(nodes_K[work_K < 1].tolist(), work_K[work_K < 1].tolist(), strict=True):
            self.log.event(round, "straggle", node, work=share)
        return work_K

    def _in_time(self, round: int, packet: Packet, there: BoolArray) -> list[Packet]:
        """The part of a packet that arrives in its own round; the rest that arrives at all stays in transit."""
        lateness_K = self.weather.lateness(round, packet.nodes_K)
        for late in np.unique(lateness_K[there & (lateness_K > 0)]).tolist():
            self.transit.append((round + late, packet.rows(np.flatnonzero(there & (lateness_K == late)))))
        now = packet.rows(np.flatnonzero(there & (lateness_K == 0)))
        return [now] if len(now) else []

    def _due(self, round: int) -> list[Packet]:
        """What was in transit and arrives now; what is too stale for the algorithm is an event, and lost."""
        due = [packet for when, packet in self.transit if when == round]
        self.transit = [(when, packet) for when, packet in self.transit if when > round]
        for packet in due:
            staleness = round - packet.round
            kind = "stale" if staleness <= self.run.parts.algorithm.max_staleness else "late"
            for node in packet.nodes_K.tolist():
                self.log.event(round, kind, node, staleness=staleness)
        return [packet for packet in due if round - packet.round <= self.run.parts.algorithm.max_staleness]

    def _sent(self, round: int, packet: Packet, copies_K: IntArray) -> None:
        """Record that each node of a packet sent so many copies of its row."""
        self._traffic(round, "up", packet.nodes_K, copies_K, packet.row_bytes, packet.header_bytes)
        self.messages += int(copies_K.sum())
        self.totals["speakers"] += len(packet)

    def _traffic(
        self, round: int, direction: str, nodes_K: IntArray, copies_K: IntArray, size: int, header: int
    ) -> None:
        """Record the bytes of each node, and add them to the round's: payloads and headers apart."""
        for name, bytes_each in ((f"bytes_{direction}", size), (f"header_bytes_{direction}", header)):
            self.log.metrics(round, name, nodes_K, copies_K * bytes_each)
            self.totals[name] += int(copies_K.sum()) * bytes_each

    def _train_loss(self, round: int, said: Sequence[Spoken]) -> None:
        losses = torch.cat([spoken.message.losses_K.cpu() for spoken in said]).numpy()
        nodes = np.concatenate([spoken.cohort.nodes_K for spoken in said])
        self.log.metrics(round, "train_loss", nodes, losses)
        honest = losses[~self.run.parts.is_byzantine(nodes)]
        if len(honest):
            self.log.metric(round, "train_loss", float(honest.mean()))

    # ------------------------------------------------------------ checkpoint

    def state(self) -> State:
        """Everything that the next round depends on, as named tensors."""
        tensors: State = {f"server/{k}": v for k, v in self.server.algorithm.items()}
        tensors |= {f"rule/{c}/{k}": v for c, state in self.server.rules.items() for k, v in state.items()}
        for name, store in self.nodes.stores.items():
            tensors |= {f"nodes/{name}/{k}": v for k, v in store.state().items()}
        for number, (when, packet) in enumerate(self.transit):
            tensors[f"transit/{number}/when"] = torch.tensor(when)
            tensors |= {f"transit/{number}/{k}": v for k, v in packet.state().items()}
        return tensors | {"messages": torch.tensor(self.messages), "round": torch.tensor(self.round)}

    def restore(self, tensors: State) -> None:
        """Go on from a state."""
        at = {key: value.to(self.run.engine.device) for key, value in tensors.items()}
        self.messages, self.round = int(at["messages"]), int(at["round"])
        self.server = ServerSide(_below(at, "server"), _grouped(at, "rule"))
        for name, state in _grouped(at, "nodes").items():
            self.nodes.stores[name] = RowStore.of(state)
        transit = sorted(_grouped(at, "transit").items(), key=lambda item: int(item[0]))
        self.transit = [(int(state["when"]), Packet.of(state)) for _, state in transit]


def _divided(silent: Sequence[Spoken], wanted: IntArray) -> tuple[list[Spoken], list[Spoken]]:
    """Who is wanted, and the rest."""
    masks = [np.isin(spoken.cohort.nodes_K, wanted) for spoken in silent]
    asked = [spoken.rows(np.flatnonzero(mask)) for spoken, mask in zip(silent, masks, strict=True)]
    rest = [spoken.rows(np.flatnonzero(~mask)) for spoken, mask in zip(silent, masks, strict=True)]
    return asked, rest


def _below(tensors: State, prefix: str) -> State:
    return {key[len(prefix) + 1 :]: value for key, value in tensors.items() if key.startswith(prefix + "/")}


def _grouped(tensors: State, prefix: str) -> dict[str, State]:
    """The tensors ``prefix/group/key`` by group."""
    below = _below(tensors, prefix)
    groups = dict.fromkeys(key.partition("/")[0] for key in below)
    return {group: _below(below, group) for group in groups}
