"""What travels between nodes: messages of named rows, and the inboxes in which they are gathered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
import torch
from torch import Tensor

from holdfast.types import IntArray, State

__all__ = ["Header", "Message", "RowStore", "header_bytes"]


@dataclass(frozen=True)
class Message:
    """What some rows say, or hear: named channels with one vector a row.

    Args:
        channels: by name, (K, D) rows; of a broadcast, (D,) for everyone.
        weights_K: each row's weight in the aggregate, such as its number of samples.
        losses_K: each row's training loss in this round.
        missing: of a broadcast as nodes hear it, by channel: (K,) who was not sent it; nobody where it is not named.
        orders_K: of a broadcast as nodes hear it: what the trigger's plan tells each node; empty without a plan.
    """

    channels: Mapping[str, Tensor]
    weights_K: Tensor = field(default_factory=lambda: torch.empty(0))
    losses_K: Tensor = field(default_factory=lambda: torch.empty(0))
    missing: Mapping[str, Tensor] = field(default_factory=dict)
    orders_K: Tensor = field(default_factory=lambda: torch.empty(0))

    def __getitem__(self, channel: str) -> Tensor:
        return self.channels[channel]

    def got(self, channel: str) -> Tensor:
        """(K,) which rows were sent a channel of a broadcast."""
        x_KD = self.channels[channel]
        missing_K = self.missing.get(channel)
        return torch.ones(len(x_KD), dtype=torch.bool, device=x_KD.device) if missing_K is None else ~missing_K

    def rows(self, index: Tensor | slice) -> Message:
        """The message of some of the rows."""
        channels = {name: x_KD[index] for name, x_KD in self.channels.items()}
        return Message(channels, self.weights_K[index], self.losses_K[index])

    def to_rows(self, rows: int) -> Message:
        """A broadcast as each of that many receivers sees it, (rows, D), without copying."""
        return replace(self, channels={name: x_D.expand(rows, -1) for name, x_D in self.channels.items()})


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The small typed part of a message on the wire; the tensors' bytes follow it."""

    round: int
    node: int
    weight: float
    loss: float
    tensors: dict[str, tuple[str, list[int]]]


def header_bytes(round: int, tensors: Mapping[str, Tensor]) -> int:
    """How many bytes one row's header takes when it is really serialised."""
    shapes = {name: (str(t.dtype).removeprefix("torch."), list(t.shape[1:])) for name, t in tensors.items()}
    return len(msgspec.msgpack.encode(Header(round, 0, 1.0, 1.0, shapes)))


class RowStore:
    """The states of many nodes as tables with one row a node, growing with the nodes that have ever had one.

    Example:
        >>> store = RowStore()
        >>> store.put([7, 3], {"x": torch.tensor([[7.0], [3.0]])})
        >>> store.take([3, 7])["x"].flatten().tolist(), store.missing([3, 4])
        ([3.0, 7.0], [4])
    """

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._tables: State = {}
        self._lent = False  # whether someone else may hold the tables, so that they must not be changed in place

    def recall(self, nodes: IntArray, start: Callable[[IntArray], State]) -> State:
        """The state of some nodes; those met for the first time begin with ``start(nodes)``."""
        missing = np.array(self.missing(nodes), dtype=np.int64)
        if len(missing):
            self.put(missing, start(missing))
        return self.take(nodes)

    def missing(self, nodes: IntArray | list[int]) -> list[int]:
        """The nodes that have no state yet."""
        return [int(node) for node in nodes if int(node) not in self._slots]

    def _index(self, nodes: IntArray | list[int]) -> Tensor | slice:
        slots = [self._slots[int(node)] for node in nodes]
        whole = len(slots) == len(self._slots) and slots == list(range(len(slots)))
        return slice(None) if whole else torch.tensor(slots, dtype=torch.int64)

    def take(self, nodes: IntArray | list[int]) -> State:
        """The state of some nodes, a row each, in their order; the tables themselves where that is all of them."""
        if not self._tables:
            return {}
        index = self._index(nodes)
        self._lent |= isinstance(index, slice)
        return {name: table[: len(self._slots)][index] for name, table in self._tables.items()}

    def put(self, nodes: IntArray | list[int], state: State) -> None:
        """Remember the state of some nodes."""
        if not state:
            return
        for node in self.missing(nodes):
            self._slots[node] = len(self._slots)
        index = self._index(nodes)
        if isinstance(index, slice):
            self._tables, self._lent = {name: rows.contiguous() for name, rows in state.items()}, True
            return
        if self._lent:
            self._tables, self._lent = {name: table.clone() for name, table in self._tables.items()}, False
        for name, rows in state.items():
            self._table(name, rows)[index.to(rows.device)] = rows

    def _table(self, name: str, rows: Tensor) -> Tensor:
        """The table, with room for every node seen so far; it doubles, so that growth stays cheap."""
        table, needed = self._tables.get(name), len(self._slots)
        if table is None or len(table) < needed:
            grown = rows.new_zeros(2 * needed, *rows.shape[1:])
            if table is not None:
                grown[: len(table)] = table
            self._tables[name] = grown
        return self._tables[name]

    def state(self) -> State:
        """Everything, for a checkpoint."""
        if not self._slots:
            return {}
        nodes = torch.tensor(list(self._slots))
        return {
            "nodes": nodes,
            **{f"rows.{n}": t[: len(self._slots)].clone() for n, t in self._tables.items()},
        }

    @classmethod
    def of(cls, state: State) -> RowStore:
        """The store of a checkpoint."""
        store = cls()
        if state:
            rows = {name.removeprefix("rows."): t for name, t in state.items() if name != "nodes"}
            store.put(state["nodes"].tolist(), rows)
        return store
