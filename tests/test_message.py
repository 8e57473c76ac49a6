"""Messages, their headers, and what is remembered of each node."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from torch import Tensor

from holdfast.message import Header, Message, RowStore, header_bytes

from .contract import PROPERTY

NODES = st.lists(st.integers(0, 11), unique=True, max_size=8)


def values(nodes: list[int], seed: int) -> dict[str, Tensor]:
    """A state whose rows are known by their node and the time they were put."""
    rows = torch.tensor([[node, seed] for node in nodes], dtype=torch.float32).reshape(len(nodes), 2)
    return {"x": rows, "count": rows.sum(1).long()}


class Model(RuleBasedStateMachine):
    """A store does what a dictionary of rows does, and nothing that was taken ever changes."""

    @initialize()
    def begin(self) -> None:
        self.store, self.oracle, self.time = RowStore(), dict[int, tuple[list[float], int]](), 0
        self.taken: list[tuple[Tensor, Tensor]] = []

    def remember(self, nodes: list[int], state: dict[str, Tensor]) -> None:
        for row, node in enumerate(nodes):
            self.oracle[node] = (state["x"][row].tolist(), int(state["count"][row]))

    def keep(self, state: dict[str, Tensor]) -> None:
        self.taken += [(tensor, tensor.clone()) for tensor in state.values()]

    @rule(nodes=NODES)
    def put(self, nodes: list[int]) -> None:
        self.time += 1
        state = values(nodes, self.time)
        self.keep(state)
        self.store.put(nodes, state)
        self.remember(nodes, state)

    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        known = sorted(self.oracle)
        nodes = data.draw(st.permutations(known)) if known else []
        nodes = nodes[: data.draw(st.integers(0, len(nodes)))]
        state = self.store.take(nodes)
        self.keep(state)
        self.compare(nodes, state)

    @rule()
    def take_all(self) -> None:
        state = self.store.take(list(self.oracle))
        self.keep(state)
        self.compare(list(self.oracle), state)

    @rule(nodes=NODES)
    def recall(self, nodes: list[int]) -> None:
        self.time += 1
        new = [node for node in nodes if node not in self.oracle]
        asked: list[list[int]] = []

        def start(missing: np.ndarray) -> dict[str, Tensor]:
            asked.append(missing.tolist())
            return values(missing.tolist(), self.time)

        state = self.store.recall(np.array(nodes, dtype=np.int64), start)
        assert asked == ([new] if new else [])
        self.remember(new, values(new, self.time))
        self.keep(state)
        self.compare(nodes, state)

    @rule()
    def go_through_a_checkpoint(self) -> None:
        state = self.store.state()
        self.keep(state)
        self.store = RowStore.of({name: tensor.clone() for name, tensor in state.items()})

    @rule(nodes=NODES)
    def missing(self, nodes: list[int]) -> None:
        assert self.store.missing(nodes) == [node for node in nodes if node not in self.oracle]

    def compare(self, nodes: list[int], state: dict[str, Tensor]) -> None:
        if self.oracle:
            assert state["x"].tolist() == [self.oracle[node][0] for node in nodes]
            assert state["count"].tolist() == [self.oracle[node][1] for node in nodes]

    @invariant()
    def nothing_taken_has_changed(self) -> None:
        assert all(torch.equal(now, before) for now, before in self.taken)


def test_a_store_is_a_dictionary_of_rows() -> None:
    from hypothesis import settings

    run_state_machine_as_test(Model, settings=settings(PROPERTY, stateful_step_count=15))


def test_a_store_without_state_remembers_nobody() -> None:
    store = RowStore()
    store.put([1, 2], {})
    assert store.missing([1, 2]) == [1, 2]
    assert store.recall(np.array([1]), lambda new: {}) == {}
    assert store.state() == {}
    assert RowStore.of({}).take([]) == {}


def test_a_store_grows_seldom() -> None:
    store = RowStore()
    tables = set()
    for node in range(100):
        store.put([node], {"x": torch.full((1, 3), float(node))})
        tables.add(store._tables["x"].data_ptr())
    assert len(tables) < 12
    assert store.take(range(100))["x"][:, 0].tolist() == list(range(100))  # type: ignore[arg-type]


def test_what_was_put_by_expansion_is_stored_as_rows() -> None:
    store, x_D = RowStore(), torch.ones(3)
    store.put([0, 1], {"x": x_D.expand(2, -1)})
    store.put([1], {"x": torch.zeros(1, 3)})
    assert store.take([0, 1])["x"].tolist() == [[1.0] * 3, [0.0] * 3]
    assert x_D.tolist() == [1.0] * 3


def test_rows_of_a_message() -> None:
    message = Message({"x": torch.arange(6.0).view(3, 2)}, torch.tensor([1.0, 2, 3]), torch.tensor([4.0, 5, 6]))
    for index in (torch.tensor([2, 0]), torch.tensor([True, False, True])):
        part = message.rows(index)
        assert torch.equal(part["x"], message["x"][index])
        assert torch.equal(part.weights_K, message.weights_K[index])
        assert torch.equal(part.losses_K, message.losses_K[index])


def test_a_broadcast_is_seen_by_each_without_a_copy() -> None:
    x_D = torch.arange(4.0)
    heard = Message({"x": x_D, "c": 2 * x_D}).to_rows(3)
    assert heard["x"].tolist() == [x_D.tolist()] * 3
    assert heard["x"].data_ptr() == x_D.data_ptr()
    assert list(heard.channels) == ["x", "c"]


def test_header_bytes_are_those_of_the_serialised_header() -> None:
    tensors = {"x.values": torch.zeros(5, 7, dtype=torch.int8), "x.scale": torch.zeros(5, 1)}
    header = Header(3, 0, 1.0, 1.0, {"x.values": ("int8", [7]), "x.scale": ("float32", [1])})
    encoded = msgspec.msgpack.encode(header)
    assert header_bytes(3, tensors) == len(encoded) > 0
    assert msgspec.msgpack.decode(encoded, type=Header) == header
    assert header_bytes(3, {}) < header_bytes(3, tensors) < header_bytes(300, tensors)


def test_a_header_with_something_else_in_it_is_refused() -> None:
    wrong = msgspec.msgpack.encode({"round": 1, "node": 0, "weight": 1.0, "loss": 1.0, "tensors": {}, "run": "rm"})
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(wrong, type=Header)
