"""Encoded messages on their way: what a transport carries from some rows of one round to their receivers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from holdfast.codecs import Payload
from holdfast.message import header_bytes
from holdfast.types import IntArray, State

__all__ = ["Packet"]


@dataclass(frozen=True)
class Packet:
    """What some nodes sent in one round, a row each.

    Args:
        round: the round in which it was sent.
        nodes_K: the senders.
        payloads: by channel, the encoded rows.
        weights_K: the stated weights.
        losses_K: the stated training losses.
    """

    round: int
    nodes_K: IntArray
    payloads: dict[str, Payload]
    weights_K: Tensor
    losses_K: Tensor

    def __len__(self) -> int:
        return len(self.nodes_K)

    def rows(self, index: IntArray) -> Packet:
        """The packet of some of the senders; itself where that is all of them in order."""
        if len(index) == len(self) and bool((index == np.arange(len(self))).all()):
            return self
        chosen = torch.from_numpy(index)
        payloads = {channel: payload.rows(chosen) for channel, payload in self.payloads.items()}
        at = chosen.to(self.weights_K.device)
        return Packet(self.round, self.nodes_K[index], payloads, self.weights_K[at], self.losses_K[at])

    @property
    def bytes_K(self) -> IntArray:
        """(K,) the payload bytes that each sender's row takes on the wire."""
        zeros_K: IntArray = np.zeros(len(self), dtype=np.int64)
        return sum((payload.bytes_K for payload in self.payloads.values()), start=zeros_K)

    @property
    def header_bytes(self) -> int:
        """The header bytes that one sender's row takes on the wire."""
        tensors = {f"{c}.{name}": t for c, payload in self.payloads.items() for name, t in payload.tensors.items()}
        return header_bytes(self.round, tensors)

    @staticmethod
    def gather(packets: Sequence[Packet]) -> list[Packet]:
        """The packets with one sender's rows in the order of node and round, whatever the order of arrival."""
        return sorted(packets, key=lambda packet: (packet.round, int(packet.nodes_K[0])))

    def state(self) -> State:
        """Everything, for a checkpoint."""
        payloads = {
            f"payloads.{channel}.{payload.columns}.{name}": tensor
            for channel, payload in self.payloads.items()
            for name, tensor in payload.tensors.items()
        } | {
            f"lengths.{channel}.{name}": lengths_K
            for channel, payload in self.payloads.items()
            for name, lengths_K in payload.lengths.items()
        }
        about = {"round": torch.tensor(self.round), "nodes": torch.from_numpy(self.nodes_K)}
        return {**about, "weights": self.weights_K, "losses": self.losses_K, **payloads}

    @classmethod
    def of(cls, state: State) -> Packet:
        """The packet of a checkpoint."""
        payloads: dict[str, Payload] = {}
        for key, tensor in state.items():
            if key.startswith("payloads."):
                _, channel, columns, name = key.split(".", 3)
                payload = payloads.setdefault(channel, Payload({}, int(columns)))
                payload.tensors[name] = tensor
        for key, lengths_K in state.items():
            if key.startswith("lengths."):
                _, channel, name = key.split(".", 2)
                payloads[channel].lengths[name] = lengths_K
        nodes_K = state["nodes"].cpu().numpy()
        return cls(int(state["round"]), nodes_K, payloads, state["weights"], state["losses"])
