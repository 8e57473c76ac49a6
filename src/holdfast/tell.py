"""What the coordinator tells the nodes at the beginning of a round: the broadcast, to whom, and in how many bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from holdfast.algorithms import ServerAlgorithm
from holdfast.codecs import Codec, Payload
from holdfast.errors import stage
from holdfast.message import Message, header_bytes
from holdfast.parts import Parts, ServerSide
from holdfast.recovery import Lost
from holdfast.seeding import Draws
from holdfast.types import SERVER, BoolArray, FloatArray, IntArray, State

__all__ = ["LOST_BYTES", "ORDER_BYTES", "Told", "acknowledge", "first_message", "tell"]

ORDER_BYTES = 4
"""What telling a node its order of the trigger's plan takes."""
LOST_BYTES = 4
"""What telling who is gone takes, and as much for each sample that such a node reported."""


@dataclass(frozen=True)
class Told:
    """A broadcast on its way.

    Args:
        round: the round that begins.
        nodes_K: who is told, sorted.
        heard: the (D,) channels, as the nodes decode them.
        coded: by channel, one encoded row.
        whole: by channel, the row for who does not hold what ``coded`` is the difference to.
        sent: by channel, (K,) who is sent it.
        current: by channel, (K,) who can decode what is ``coded``.
        orders_K: (K,) what the trigger's plan tells each; empty without a plan.
        lost: the nodes that are gone, whose samples others take over.
    """

    round: int
    nodes_K: IntArray
    heard: Message
    coded: Mapping[str, Payload]
    whole: Mapping[str, Payload]
    sent: Mapping[str, BoolArray]
    current: Mapping[str, BoolArray]
    orders_K: FloatArray
    lost: Lost = field(default_factory=dict)

    def rows(self, nodes: IntArray) -> Told:
        """What some of the nodes are told."""
        at = np.searchsorted(self.nodes_K, nodes)
        sent = {name: sent_K[at] for name, sent_K in self.sent.items()}
        current = {name: current_K[at] for name, current_K in self.current.items()}
        orders_K = self.orders_K[at] if len(self.orders_K) else self.orders_K
        return replace(self, nodes_K=nodes, sent=sent, current=current, orders_K=orders_K)

    def message(self, nodes: IntArray) -> Message:
        """What some of the nodes hear, a row each."""
        some = self.rows(nodes)
        missing = {name: torch.from_numpy(~sent_K) for name, sent_K in some.sent.items() if not sent_K.all()}
        return replace(self.heard.to_rows(len(nodes)), missing=missing, orders_K=torch.from_numpy(some.orders_K))

    @property
    def bytes_K(self) -> IntArray:
        """(K,) the payload bytes that go to each node."""
        known = LOST_BYTES * sum(1 + len(samples) for samples in self.lost.values())
        known += ORDER_BYTES if len(self.orders_K) else 0
        found_K = np.full(len(self.nodes_K), known, dtype=np.int64)
        for name, sent_K in self.sent.items():
            each_K = np.where(self.current[name], self.coded[name].bytes_K[0], self.whole[name].bytes_K[0])
            found_K += np.where(sent_K, each_K, 0)
        return found_K

    @property
    def header_K(self) -> IntArray:
        """(K,) the header bytes that go to each node."""
        names = list(self.sent)
        key_K = sum((2**place * self.sent[name] for place, name in enumerate(names)), start=0 * self.nodes_K)
        found_K = np.empty_like(self.nodes_K)
        for key in np.unique(key_K).tolist():
            tensors = {name: self.heard[name].unsqueeze(0) for place, name in enumerate(names) if key >> place & 1}
            found_K[key_K == key] = header_bytes(self.round, tensors)
        return found_K


def first_message(parts: Parts) -> Message:
    """The broadcast before the first round, which every process can make for itself."""
    assert isinstance(parts.algorithm, ServerAlgorithm)
    return parts.algorithm.broadcast(parts.algorithm.start(parts.initial_D, parts.layout))


def tell(parts: Parts, side: ServerSide, round: int, nodes_K: IntArray, orders_K: FloatArray | None = None) -> Told:
    """Broadcast → encode.

    Args:
        parts: the run's components.
        side: what the coordinator remembers; brought up to date.
        round: the round that begins.
        nodes_K: who is to work in it, sorted.
        orders_K: what the trigger's plan tells each of them.
    """
    assert isinstance(parts.algorithm, ServerAlgorithm)
    with stage("broadcast", round, nodes_K):
        message = parts.algorithm.broadcast(side.algorithm)
        sent = {name: parts.algorithm.recipients(side.algorithm, name, nodes_K) for name in message.channels}
    heard, coded, whole = {}, {}, {}
    for name, x_D in message.channels.items():
        raw = Payload({"values": x_D.unsqueeze(0)}, x_D.numel())
        heard[name], coded[name], whole[name] = x_D, raw, raw
        codec = parts.down(x_D.numel())
        if codec is not None and sent[name].any():
            draws = Draws(parts.seed, f"downlink.{name}", _SELF, round)
            known = side.downlink.get(name) or _start(parts, codec, name, x_D.numel())
            side.downlink[name], coded[name], heard[name] = _encode(codec, known, x_D, draws)
            whole[name] = Payload({"values": heard[name].unsqueeze(0)}, x_D.numel())
    current = {name: np.isin(nodes_K, side.holders.get(name, nodes_K)) for name in heard}
    orders_K = np.zeros(0) if orders_K is None else orders_K
    return Told(round, nodes_K, replace(message, channels=heard), coded, whole, sent, current, orders_K, side.lost)


def acknowledge(parts: Parts, side: ServerSide, told: Told, nodes: IntArray) -> None:
    """Note who holds what was sent as a difference, by having answered."""
    if parts.downlink is None or not parts.downlink.differences:
        return
    for name, sent_K in told.sent.items():
        if told.coded[name] is not told.whole[name]:
            side.holders[name] = np.intersect1d(nodes, told.nodes_K[sent_K])


_SELF = np.array([SERVER])


def _start(parts: Parts, codec: Codec, name: str, columns: int) -> State:
    """What the codec remembers before the first round; differences are to the first broadcast."""
    first = {"reference": first_message(parts)[name].unsqueeze(0)} if codec.differences else {}
    return codec.start(1, columns) | first


def _encode(codec: Codec, known: State, x_D: Tensor, draws: Draws) -> tuple[State, Payload, Tensor]:
    """What the codec remembers from now on, the encoded row, and what the nodes make of it."""
    known, payload = codec.encode(known, x_D.unsqueeze(0), draws)
    decoded_KD = known["reference"] if codec.differences else codec.decode(payload)
    return known, payload, decoded_KD[0].to(x_D.device)
