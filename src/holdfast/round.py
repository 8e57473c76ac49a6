"""The one page that orders the stages of a round.

    local work → trigger → attack → encode → [topology, faults, transport] → decode → aggregate → merge → record

`speak` is everything before the bracket, on the nodes; `merge_server` and `merge_peers` are everything after it, at the
receivers. A runtime supplies what stands in the bracket: it carries packets from the one to the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from holdfast.aggregators import Aggregator
from holdfast.algorithms import PeerAlgorithm, ServerAlgorithm
from holdfast.codecs import Payload
from holdfast.cohort import Cohort
from holdfast.errors import stage
from holdfast.inbox import PeerInbox, ServerInbox
from holdfast.lies import lie, told_to_each
from holdfast.message import Message
from holdfast.packet import Packet
from holdfast.parts import Log, NodeSide, Parts, ServerSide, Spoken
from holdfast.recovery import HARDEST
from holdfast.seeding import Draws
from holdfast.tell import Told
from holdfast.triggers.base import ORDER
from holdfast.triggers.svd import Svd
from holdfast.types import BoolArray, FloatArray, IntArray, State

__all__ = ["answer", "merge_peers", "merge_server", "read", "speak", "wanted"]


# ---------------------------------------------------------------- before the bracket: on the nodes


def speak(
    parts: Parts, side: NodeSide, hosts: Sequence[Cohort], heard: Told | None
) -> tuple[list[Spoken], list[Packet]]:
    """Local work → trigger → attack → encode.

    Args:
        parts: the run's components.
        side: what the nodes remember; brought up to date.
        hosts: the nodes at work, in groups that compute together.
        heard: what the coordinator tells them; ``None`` among peers.

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
    said = [_before_sending(parts, side, spoken) for spoken in said if len(spoken.cohort)]
    return [_encode(parts, side, spoken) for spoken in lie(parts, side, said)]


def _before_sending(parts: Parts, side: NodeSide, spoken: Spoken) -> Spoken:
    """What the rule asks every node to make of its rows, such as a momentum."""
    rule, nodes = parts.aggregator, spoken.cohort.nodes_K
    if rule is None or not rule.start(0, 0):
        return spoken
    channels = {}
    with stage("before sending", spoken.cohort.round, nodes):
        for name, x_KD in spoken.message.channels.items():
            store, columns = side.stores[f"sending.{name}"], x_KD.shape[1]
            known = store.recall(nodes, lambda new, d=columns: rule.start(len(new), d))  # type: ignore[misc]
            state, channels[name] = rule.before_sending(known, x_KD)
            store.put(nodes, state)
    return replace(spoken, message=replace(spoken.message, channels=channels))


def _work(parts: Parts, side: NodeSide, cohort: Cohort, told: Told | None) -> Spoken:
    nodes, algorithm = cohort.nodes_K, parts.algorithm
    heard = told.message(nodes) if told is not None else None
    with stage("local work", cohort.round, nodes):
        node = _recall(parts, side, cohort)
        if isinstance(algorithm, ServerAlgorithm):
            assert heard is not None
            node, message = algorithm.local(node, heard, cohort)
            if algorithm.weighting == "svd":
                message = replace(message, weights_K=_variety(side, cohort))
        else:
            node, message = algorithm.local(node, cohort)
    with stage("trigger", cohort.round, nodes):
        said, speaks_K = _trigger(parts, side, cohort, node, message, heard)
        if isinstance(algorithm, ServerAlgorithm):
            node = algorithm.spoke(node, speaks_K)
        side.stores["algorithm"].put(nodes, node)
    return Spoken(cohort, said, speaks_K, _hardest(parts, cohort, node, message, heard))


def _variety(side: NodeSide, cohort: Cohort) -> Tensor:
    """(K,) how various each node's samples are, as `svd` counts it; once for each node."""
    (inputs, targets), seed = cohort.data.train, cohort.data.seed

    def count(new: IntArray) -> State:
        shards = (torch.from_numpy(np.asarray(cohort.data.shards[node])) for node in new.tolist())
        return {"index": torch.cat([Svd().survey(inputs[s], targets[s], None, seed) for s in shards])}

    return side.stores["variety"].recall(cohort.nodes_K, count)["index"].to(cohort.engine.device)


def _hardest(parts: Parts, cohort: Cohort, node: State, said: Message, heard: Message | None) -> Tensor:
    """(K, n) the samples that nodes report, for others to take over should one be lost; (K, 0) if none are due."""
    algorithm = parts.algorithm
    if not parts.recovery.tracks(cohort.round) or heard is None or not isinstance(algorithm, ServerAlgorithm):
        return torch.empty(len(cohort), 0)
    with stage("track", cohort.round, cohort.nodes_K):
        return cohort.hardest(algorithm.watched(node, said, heard)[0], parts.recovery.samples)


def _recall(parts: Parts, side: NodeSide, cohort: Cohort) -> State:
    """The nodes' algorithm state; who takes part for the first time starts from the initial model."""

    def start(new: IntArray) -> State:
        rows = cohort.rows(np.flatnonzero(np.isin(cohort.nodes_K, new)))
        return parts.algorithm.start_nodes(parts.initial_D.expand(len(new), -1), rows)

    return side.stores["algorithm"].recall(cohort.nodes_K, start)


def _trigger(
    parts: Parts, side: NodeSide, cohort: Cohort, node: State, said: Message, heard: Message | None
) -> tuple[Message, Tensor]:
    """What nodes would say, and who speaks; among peers the reference is what a node said last.

    Buffers do not count: some only count steps.
    """
    if not parts.trigger.may_silence():
        return said, torch.ones(len(cohort), dtype=torch.bool)
    nodes, last, p = cohort.nodes_K, side.stores["spoken"], parts.layout.parameters
    if isinstance(parts.algorithm, ServerAlgorithm) and heard is not None:
        x_KD, reference_KD = parts.algorithm.watched(node, said, heard)
    else:
        assert isinstance(parts.algorithm, PeerAlgorithm)
        x_KD = parts.algorithm.local_models(node, said)
        reference_KD = last.recall(nodes, lambda new: {"x": parts.initial_D.expand(len(new), -1)})["x"]
    states, trigger = side.stores["trigger"], parts.trigger
    known = states.recall(nodes, lambda new: trigger.start(parts.initial_D[:p].expand(len(new), -1)))
    if heard is not None and len(heard.orders_K):
        known = {**known, ORDER: heard.orders_K}
    if trigger.trims and heard is not None:
        [(name, row_KD)] = said.channels.items()
        known, row_KD = trigger.trim(known, row_KD, heard["x"])
        said = replace(said, channels={name: row_KD})
    state, speaks_K = trigger.speakers(known, cohort.round, x_KD[:, :p], reference_KD[:, :p], said.losses_K)
    states.put(nodes, {name: value for name, value in state.items() if name != ORDER})
    if isinstance(parts.algorithm, PeerAlgorithm):
        last.put(nodes, {"x": torch.where(speaks_K.to(x_KD.device).unsqueeze(1), x_KD, reference_KD)})
    return said, speaks_K.cpu()


def _encode(parts: Parts, side: NodeSide, spoken: Spoken) -> Packet:
    nodes, round, message = spoken.cohort.nodes_K, spoken.cohort.round, spoken.message
    payloads: dict[str, Payload] = {}
    with stage("encode", round, nodes):
        for name, x_KD in message.channels.items():
            columns, store = x_KD.shape[1], side.stores[f"codec.{name}"]
            codec = parts.up(columns)
            if codec is None:
                payloads[name] = Payload({"values": x_KD}, columns)
                continue
            known = store.recall(nodes, lambda new, c=codec, d=columns: c.start(len(new), d))  # type: ignore[misc]
            draws = Draws(parts.seed, f"codec.{name}", nodes, round)
            state, payloads[name] = codec.encode(known, x_KD, draws)
            store.put(nodes, state)
    if count := spoken.hardest_Kn.shape[1]:
        payloads[HARDEST] = Payload({"values": spoken.hardest_Kn}, count)
    return Packet(round, nodes, payloads, message.weights_K, message.losses_K)


# ---------------------------------------------------------------- after the bracket: at the receivers


def merge_server(parts: Parts, side: ServerSide, inbox: ServerInbox, round: int, log: Log) -> bool:
    """Aggregate → merge at the coordinator; whether the inbox was enough for the rule."""
    assert isinstance(parts.algorithm, ServerAlgorithm)
    inbox, side.rules, trouble = _aggregate(parts, side, inbox, round)
    with stage("merge", round, inbox.nodes_M):
        if not trouble:
            side.algorithm = parts.algorithm.merge(side.algorithm, inbox)
            return True
        if len(inbox.nodes_M):
            log.event(round, "skipped", None, **trouble)
        side.algorithm = parts.algorithm.skip(side.algorithm, inbox)
    return False


def wanted(parts: Parts, side: ServerSide, inbox: ServerInbox, round: int) -> IntArray:
    """Who of the silent must speak before the merge, sorted."""
    assert isinstance(parts.algorithm, ServerAlgorithm)
    inbox, _, _ = _aggregate(parts, side, inbox, round)
    with stage("ask", round, inbox.nodes_M):
        return np.intersect1d(parts.algorithm.ask(side.algorithm, inbox), inbox.silent_L)


def _aggregate(
    parts: Parts, side: ServerSide, inbox: ServerInbox, round: int
) -> tuple[ServerInbox, dict[str, State], dict[str, object]]:
    """The inbox with what the rule makes of it, the rule's new states, and why it cannot be applied if so."""
    assert parts.aggregator is not None
    assert isinstance(parts.algorithm, ServerAlgorithm)
    rule, rules, combined = parts.aggregator, dict(side.rules), {}
    inbox = replace(inbox, weights_M=parts.algorithm.weights(inbox)) if len(inbox.nodes_M) else inbox
    own_M = np.equal(inbox.nodes_M, np.nan if rule.trusted_node is None else rule.trusted_node)
    if trouble := _trouble(rule, inbox, own_M):
        return inbox, rules, trouble
    with stage("aggregate", round, inbox.nodes_M):
        for name, x_MD in inbox.channels.items():
            state = rules.get(name, {}) | {"round": torch.tensor(round)}
            heard = (x_MD, inbox.weights_M, None) if not own_M.any() else _apart(x_MD, inbox.weights_M, own_M)
            rules[name], combined[name] = rule.aggregate(state, *heard)
    return replace(inbox, combined=combined), rules, {}


def _trouble(rule: Aggregator, inbox: ServerInbox, own_M: BoolArray) -> dict[str, object]:
    """Why the rule cannot be applied to an inbox; nothing if it can."""
    rows = int((~own_M).sum())
    if rows < max(1, rule.least):
        return {"rows": rows, "required": rule.least}
    if rule.trusted_node is not None and not own_M.any():
        return {"rows": rows, "reason": f"nothing came from the trusted node {rule.trusted_node}"}
    if not inbox.weights_M.any():
        return {"rows": rows, "reason": "all weights are 0"}
    if rule.tolerates and any(not _any_finite(x_MD) for x_MD in inbox.channels.values()):
        return {"rows": rows, "reason": "no value is finite"}
    return {}


def _any_finite(x_MD: Tensor) -> bool:
    return any(bool(row_D.isfinite().any()) for row_D in x_MD)  # the first row tells, but for an attack


def _apart(x_MD: Tensor, weights_M: Tensor, own_M: BoolArray) -> tuple[Tensor, Tensor, Tensor]:
    """The rows of the others and their weights, and the row of the trusted node."""
    others = torch.from_numpy(~own_M)
    return x_MD[others], weights_M[others], x_MD[int(own_M.argmax())]


def read(parts: Parts, packets: Sequence[Packet], round: int, silent_L: IntArray) -> ServerInbox:
    """Decode: the coordinator's inbox, in the order of node and round whatever the order of arrival."""
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
    about = (parts.layout.parameters, silent_L, parts.nodes)
    return ServerInbox(nodes_M, channels, {}, weights_M, losses_M, staleness_M, *about)


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
                codec = parts.up(payload.columns)
                found[name].append(codec.decode(payload) if codec else payload.tensors["values"])
    return {name: _joined(rows) for name, rows in found.items()}


def merge_peers(
    parts: Parts,
    side: NodeSide,
    said: Spoken,
    packets: Sequence[Packet],
    links_KS: sparse.csr_array,
    kept_K: FloatArray | None,
    log: Log,
) -> None:
    """Decode → aggregate → merge at the peers of one host.

    A rule starts afresh in every round, with the receiver's own row as its first row and as its centre. Attackers who
    tell each neighbour something else are heard here, where it is known who hears whom.

    Args:
        parts: the run's components.
        side: what the nodes remember; brought up to date.
        said: what the receivers themselves would have said this round.
        packets: what was sent to them.
        links_KS: the mixing weights of the links that delivered, receivers × the packets' rows in order.
        kept_K: what the links that delivered leave to each sender's own row, where the algorithm pushes.
        log: where events go.
    """
    assert isinstance(parts.algorithm, PeerAlgorithm)
    cohort, rule = said.cohort, parts.aggregator
    heard = _decode(parts, packets) or {name: rows[:0] for name, rows in said.message.channels.items()}
    now = {"round": torch.tensor(cohort.round)}
    apply = (lambda x, weights, pivot: rule.aggregate(now, x, weights, pivot)[1]) if rule else None
    senders_S = np.concatenate([packet.nodes_K for packet in packets]) if packets else np.zeros(0, dtype=np.int64)
    inbox = PeerInbox(said.message.channels, heard, links_KS, apply, rule.least if rule else 1, senders_S, kept_K)
    inbox = told_to_each(parts, inbox, packets, cohort)
    for row in np.flatnonzero(inbox.short_K).tolist():
        rows, node = int(inbox.degrees_K[row]) + 1, int(cohort.nodes_K[row])
        log.event(cohort.round, "skipped", node, rows=rows, required=inbox.least)
    with stage("aggregate and merge", cohort.round, cohort.nodes_K):
        store = side.stores["algorithm"]
        store.put(cohort.nodes_K, parts.algorithm.merge(store.take(cohort.nodes_K), inbox, cohort))
