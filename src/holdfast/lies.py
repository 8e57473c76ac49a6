"""The attack stage of a round: what Byzantine nodes send, or tell each of their neighbours, instead of the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from holdfast.attacks import Attack, Context
from holdfast.attacks.each import ToEach
from holdfast.cohort import Cohort
from holdfast.errors import stage
from holdfast.inbox import PeerInbox
from holdfast.packet import Packet
from holdfast.parts import NodeSide, Parts, Spoken
from holdfast.seeding import Draws
from holdfast.types import BoolArray, IntArray, State

__all__ = ["lie", "told_to_each"]


def lie(parts: Parts, side: NodeSide, said: Sequence[Spoken]) -> list[Spoken]:
    """The rows as sent: Byzantine rows are what the attack makes of them, seeing what it may see."""
    attack = parts.attack
    if attack is None or not said or type(attack).corrupt is Attack.corrupt:
        return list(said)
    nodes = np.concatenate([spoken.cohort.nodes_K for spoken in said])
    bad, round = parts.is_byzantine(nodes), said[0].cohort.round
    if not (bad.any() and attack.active(round)):
        return list(said)
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
    f, least = (rule.tolerates, rule.least) if rule else (0, 1)
    context = Context(round, draws, f, rule if rule else lambda x_MD: x_MD.mean(-2), least)

    def start(new: IntArray) -> State:
        state = attack.start(len(new), rows_KD.shape[1])
        return {name: value.to(rows_KD.device) for name, value in state.items()}

    at = torch.from_numpy(np.flatnonzero(bad))
    sees = rows_KD[torch.from_numpy(np.flatnonzero(~bad))] if attack.knows == "omniscient" else rows_KD[:0]
    known = store.recall(nodes[bad], start)
    state, rows_KD[at] = attack.corrupt(known, sees, rows_KD[at], context)
    store.put(nodes[bad], state)
    return rows_KD


def told_to_each(parts: Parts, inbox: PeerInbox, packets: Sequence[Packet], cohort: Cohort) -> PeerInbox:
    """What the peers hear where attackers tell each honest neighbour something else, in rows that were encoded too."""
    attack, nodes, round = parts.attack, cohort.nodes_K, cohort.round
    if not (isinstance(attack, ToEach) and attack.active(round) and packets):
        return inbox
    liars_S = parts.is_byzantine(np.concatenate([packet.nodes_K for packet in packets]))
    weight_K = inbox.links_KS @ liars_S.astype(float)
    receivers = np.flatnonzero((weight_K > 0) & ~parts.is_byzantine(nodes))
    if not len(receivers):
        return inbox
    honest, at, rows = inbox.hearing(np.flatnonzero(~liars_S)), torch.from_numpy(receivers), {}
    with stage("attack", round, nodes[receivers]):
        for name, own_KD in inbox.own.items():
            weight = torch.from_numpy(weight_K[receivers]).to(own_KD)
            told_RD = attack.told(own_KD[at], honest.mix(name)[at], weight)
            rows[name] = _as_decoded(parts, told_RD, Draws(parts.seed, f"told.{name}", nodes[receivers], round))
    return inbox.told(rows, liars_S, receivers)


def _as_decoded(parts: Parts, x_RD: Tensor, draws: Draws) -> Tensor:
    """Rows as they are after encoding and decoding, by a codec that remembers nothing."""
    codec = parts.codec
    return x_RD if codec is None else codec.decode(codec.encode(codec.start(*x_RD.shape), x_RD, draws)[1])
