"""The one page that orders the stages of a round.

    local work → trigger → attack → encode → [topology, faults, transport] → decode → aggregate → merge → record

`speak` is everything before the bracket, on the nodes; `merge_server` and `merge_peers` are everything after it, at the
receivers. A runtime supplies what stands in the bracket: it carries packets from the one to the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from holdfast.aggregators import Aggregator
from holdfast.algorithms import PeerAlgorithm, ServerAlgorithm
from holdfast.attacks import Attack, Context
from holdfast.codecs import Codec, Payload
from holdfast.cohort import Cohort
from holdfast.errors import stage
from holdfast.inbox import PeerInbox, ServerInbox
from holdfast.message import Message, RowStore
from holdfast.packet import Packet
from holdfast.seeding import Draws
from holdfast.triggers import Trigger
from holdfast.types import BoolArray, IntArray, State

__all__ = [
    "Log",
    "NodeSide",
    "Parts",
    "ServerSide",
    "Spoken",
    "answer",
    "merge_peers",
    "merge_server",
    "speak",
]


class Log(Protocol):
    """Where a round records what happened."""

    def event(self, round: int, kind: str, node: int | None = None, **detail: object) -> None:
        """Something happened, to a node or to the run."""


@dataclass(frozen=True)
class Parts:
    """The components of one run.

    Args:
        algorithm: what is computed.
        aggregator: the rule; ``None`` among peers mixes by W.
        codec: how rows are encoded; ``None`` sends float32.
        trigger: who speaks.
        attack: what Byzantine nodes do; ``None`` where there are none.
        byzantine: the Byzantine nodes, sorted.
        initial_D: the model before the first round.
        parameters: how many of the D columns are parameters.
        seed: the experiment's seed.
    """

    algorithm: ServerAlgorithm | PeerAlgorithm
    aggregator: Aggregator | None
    codec: Codec | None
    trigger: Trigger
    attack: Attack | None
    byzantine: IntArray
    initial_D: Tensor
    parameters: int
    seed: int

    def is_byzantine(self, nodes_K: IntArray) -> BoolArray:
        """(K,) which of the nodes are Byzantine."""
        return np.isin(nodes_K, self.byzantine)


@dataclass
class NodeSide:
    """What the nodes of this process remember, by stage."""

    stores: dict[str, RowStore] = field(default_factory=lambda: defaultdict(RowStore))


@dataclass
class ServerSide:
    """What the coordinator remembers: the algorithm's state, and the rule's for each channel."""

    algorithm: State
    rules: dict[str, State] = field(default_factory=dict)


@dataclass(frozen=True)
class Spoken:
    """What the nodes of one host would say, and which of them do."""

    cohort: Cohort
    message: Message
    speaks_K: Tensor

    def rows(self, index: IntArray) -> Spoken:
        """The same of some of the rows."""
        if len(index) == len(self.cohort):
            return self
        at = torch.from_numpy(index)
        return Spoken(self.cohort.rows(index), self.message.rows(at), self.speaks_K[at])

    def speaking(self) -> Spoken:
        """Only those who speak."""
        return self.rows(np.flatnonzero(self.speaks_K.numpy()))

    def silent(self) -> Spoken:
        """Only those who do not."""
        return self.rows(np.flatnonzero(~self.speaks_K.numpy()))


# ---------------------------------------------------------------- before the bracket: on the nodes


def speak(
    parts: Parts, side: NodeSide, hosts: Sequence[Cohort], heard: Message | None
) -> tuple[list[Spoken], list[Packet]]:
    """Local work → trigger → attack → encode.

    Args:
        parts: the run's components.
        side: what the nodes remember; brought up to date.
        hosts: the nodes at work, in groups that compute together.
        heard: the coordinator's broadcast; ``None`` among peers.

    Returns:
        What every node would say, and the packets of those who speak, one for each host.
    """
    said = [_work(parts, side, cohort, heard) for cohort in hosts]
    return said, _packets(parts, side, [spoken.speaking() for spoken in said])


def answer(parts: Parts, side: NodeSide, said: Sequence[Spoken]) -> list[Packet]:
    """Attack → encode: the packets of nodes whom the coordinator asks although they kept silent."""
    assert isinstance(parts.algorithm, ServerAlgorithm)
    store, said = side.stores["algorithm"], [spoken for spoken in said if len(spoken.cohort)]
    for spoken in said:
        nodes, speaks_K = spoken.cohort.nodes_K, torch.ones(len(spoken.cohort), dtype=torch.bool)
        store.put(nodes, parts.algorithm.spoke(store.take(nodes), speaks_K))
    return _packets(parts, side, said)


def _packets(parts: Parts, side: NodeSide, said: Sequence[Spoken]) -> list[Packet]:
    """Attack → encode: the packets of what some nodes say."""
    said = [spoken for spoken in said if len(spoken.cohort)]
    return [_encode(parts, side, spoken) for spoken in _lie(parts, side, said)]


def _work(parts: Parts, side: NodeSide, cohort: Cohort, heard: Message | None) -> Spoken:
    nodes, algorithm = cohort.nodes_K, parts.algorithm
    with stage("local work", cohort.round, nodes):
        node = _recall(parts, side, cohort)
        if isinstance(algorithm, ServerAlgorithm):
            assert heard is not None
            heard = heard.to_rows(len(cohort))
            node, message = algorithm.local(node, heard, cohort)
        else:
            node, message = algorithm.local(node, cohort)
    with stage("trigger", cohort.round, nodes):
        speaks_K = _trigger(parts, side, cohort, message, heard)
        if isinstance(algorithm, ServerAlgorithm):
            node = algorithm.spoke(node, speaks_K)
        side.stores["algorithm"].put(nodes, node)
    return Spoken(cohort, message, speaks_K)


def _recall(parts: Parts, side: NodeSide, cohort: Cohort) -> State:
    """The nodes' algorithm state; who takes part for the first time starts from the initial model."""

    def start(new: IntArray) -> State:
        rows = cohort.rows(np.flatnonzero(np.isin(cohort.nodes_K, new)))
        return parts.algorithm.start_nodes(parts.initial_D.expand(len(new), -1), rows)

    return side.stores["algorithm"].recall(cohort.nodes_K, start)


def _trigger(parts: Parts, side: NodeSide, cohort: Cohort, said: Message, heard: Message | None) -> Tensor:
    """Who speaks; among peers the reference is what a node said last."""
    everyone = torch.ones(len(cohort), dtype=torch.bool)
    if not parts.trigger.may_silence():
        return everyone
    nodes, last = cohort.nodes_K, side.stores["spoken"]
    if isinstance(parts.algorithm, ServerAlgorithm) and heard is not None:
        x_KD, reference_KD = parts.algorithm.local_models(said, heard), heard["x"]
    else:
        x_KD = said["x"]
        reference_KD = last.recall(nodes, lambda new: {"x": parts.initial_D.expand(len(new), -1)})["x"]
    states = side.stores["trigger"]
    known = states.recall(nodes, lambda new: parts.trigger.start(parts.initial_D.expand(len(new), -1)))
    state, speaks_K = parts.trigger.speakers(known, cohort.round, x_KD, reference_KD, said.losses_K)
    states.put(nodes, state)
    if isinstance(parts.algorithm, PeerAlgorithm):
        last.put(nodes, {"x": torch.where(speaks_K.to(x_KD.device).unsqueeze(1), x_KD, reference_KD)})
    return speaks_K.cpu()


def _lie(parts: Parts, side: NodeSide, said: Sequence[Spoken]) -> list[Spoken]:
    """The rows as sent: Byzantine rows are what the attack makes of them, seeing what it may see."""
    attack = parts.attack
    if attack is None or not said or type(attack).corrupt is Attack.corrupt:
        return list(said)
    nodes = np.concatenate([spoken.cohort.nodes_K for spoken in said])
    bad = parts.is_byzantine(nodes)
    if not bad.any():
        return list(said)
    round = said[0].cohort.round
    with stage("attack", round, nodes[bad]):
        channels = {}
        for name in said[0].message.channels:
            rows_KD = torch.cat([spoken.message[name] for spoken in said])
            channels[name] = _corrupted(parts, attack, side, name, rows_KD, nodes, bad, round)
    sizes = [len(spoken.cohort) for spoken in said]
    split = {name: rows_KD.split(sizes) for name, rows_KD in channels.items()}
    messages = [replace(s.message, channels={n: split[n][i] for n in split}) for i, s in enumerate(said)]
    return [replace(spoken, message=message) for spoken, message in zip(said, messages, strict=True)]


def _corrupted(
    parts: Parts,
    attack: Attack,
    side: NodeSide,
    channel: str,
    rows_KD: Tensor,
    nodes: IntArray,
    bad: BoolArray,
    round: int,
) -> Tensor:
    """(K, D) the rows with the Byzantine ones replaced; the argument is a fresh tensor and is changed in place."""
    rule, store = parts.aggregator, side.stores[f"attack.{channel}"]
    draws = Draws(parts.seed, f"attack.{channel}", nodes[bad], round)
    context = Context(round, draws, rule.tolerates if rule else 0, rule if rule else lambda x_MD: x_MD.mean(-2))
    at = torch.from_numpy(np.flatnonzero(bad))
    sees = rows_KD[torch.from_numpy(np.flatnonzero(~bad))] if attack.knows == "omniscient" else rows_KD[:0]
    known = store.recall(nodes[bad], lambda new: attack.start(len(new), rows_KD.shape[1]))
    state, rows_KD[at] = attack.corrupt(known, sees, rows_KD[at], context)
    store.put(nodes[bad], state)
    return rows_KD


def _encode(parts: Parts, side: NodeSide, spoken: Spoken) -> Packet:
    nodes, round, message = spoken.cohort.nodes_K, spoken.cohort.round, spoken.message
    payloads: dict[str, Payload] = {}
    with stage("encode", round, nodes):
        for name, x_KD in message.channels.items():
            if parts.codec is None:
                payloads[name] = Payload({"values": x_KD}, x_KD.shape[1])
                continue
            codec, columns, store = parts.codec, x_KD.shape[1], side.stores[f"codec.{name}"]
            known = store.recall(nodes, lambda new, c=codec, d=columns: c.start(len(new), d))  # type: ignore[misc]
            draws = Draws(parts.seed, f"codec.{name}", nodes, round)
            state, payloads[name] = codec.encode(known, x_KD, draws)
            store.put(nodes, state)
    return Packet(round, nodes, payloads, message.weights_K, message.losses_K)


# ---------------------------------------------------------------- after the bracket: at the receivers


def merge_server(parts: Parts, side: ServerSide, packets: Sequence[Packet], round: int, log: Log) -> bool:
    """Decode → aggregate → merge at the coordinator; whether the inbox was enough for the rule."""
    assert parts.aggregator is not None
    assert isinstance(parts.algorithm, ServerAlgorithm)
    inbox = read(parts, packets, round)
    rows, least = len(inbox.nodes_M), parts.aggregator.least
    if rows < max(1, least):
        if rows:
            log.event(round, "skipped", rows=rows, required=least)
        return False
    with stage("aggregate", round, inbox.nodes_M):
        combined = {}
        for name, x_MD in inbox.channels.items():
            state = side.rules.get(name, {})
            side.rules[name], combined[name] = parts.aggregator.aggregate(state, x_MD, inbox.weights_M)
    with stage("merge", round, inbox.nodes_M):
        side.algorithm = parts.algorithm.merge(side.algorithm, replace(inbox, combined=combined))
    return True


def read(parts: Parts, packets: Sequence[Packet], round: int) -> ServerInbox:
    """The coordinator's inbox, in the order of node and round whatever the order of arrival."""
    packets = Packet.gather([packet for packet in packets if len(packet)])
    nodes_M = np.concatenate([p.nodes_K for p in packets]) if packets else np.zeros(0, dtype=np.int64)
    staleness_M = np.concatenate([np.full(len(p), round - p.round) for p in packets]) if packets else nodes_M
    channels = _decode(parts, packets)
    weights_M, losses_M = _joined([p.weights_K for p in packets]), _joined([p.losses_K for p in packets])
    order = np.lexsort((staleness_M, nodes_M))
    if not (order == np.arange(len(order))).all():
        at = torch.from_numpy(order)
        channels = {name: x_MD[at] for name, x_MD in channels.items()}
        nodes_M, staleness_M, weights_M, losses_M = (
            nodes_M[order],
            staleness_M[order],
            weights_M[at],
            losses_M[at],
        )
    return ServerInbox(nodes_M, channels, {}, weights_M, losses_M, staleness_M, parts.parameters)


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """One tensor of all rows; without a copy where there is only one."""
    if not tensors:
        return torch.empty(0)
    return tensors[0] if len(tensors) == 1 else torch.cat(list(tensors))


def _decode(parts: Parts, packets: Sequence[Packet]) -> dict[str, Tensor]:
    """By channel, the decoded rows of all packets."""
    found: dict[str, list[Tensor]] = defaultdict(list)
    for packet in packets:
        with stage("decode", packet.round, packet.nodes_K):
            for name, payload in packet.payloads.items():
                found[name].append(payload.tensors["values"] if parts.codec is None else parts.codec.decode(payload))
    return {name: _joined(rows) for name, rows in found.items()}


def merge_peers(
    parts: Parts,
    side: NodeSide,
    said: Spoken,
    packets: Sequence[Packet],
    links_KS: sparse.csr_array,
    log: Log,
) -> None:
    """Decode → aggregate → merge at the peers of one host.

    Args:
        parts: the run's components.
        side: what the nodes remember; brought up to date.
        said: what the receivers themselves would have said this round.
        packets: what was sent to them.
        links_KS: the mixing weights of the links that delivered, receivers × the packets' rows in order.
        log: where events go.
    """
    assert isinstance(parts.algorithm, PeerAlgorithm)
    cohort, rule = said.cohort, parts.aggregator
    heard = _decode(parts, packets) or {name: rows[:0] for name, rows in said.message.channels.items()}
    apply = (lambda x_GMD, pivot_GD: rule.aggregate({}, x_GMD, None, pivot_GD)[1]) if rule else None
    inbox = PeerInbox(said.message.channels, heard, links_KS, apply, rule.least if rule else 1)
    for row in np.flatnonzero(inbox.short_K).tolist():
        rows, node = int(inbox.degrees_K[row]) + 1, int(cohort.nodes_K[row])
        log.event(cohort.round, "skipped", node, rows=rows, required=inbox.least)
    with stage("aggregate and merge", cohort.round, cohort.nodes_K):
        store = side.stores["algorithm"]
        store.put(cohort.nodes_K, parts.algorithm.merge(store.take(cohort.nodes_K), inbox, cohort))
