"""Encoded messages on their way."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch

from holdfast.catalogue import build, catalogue
from holdfast.codecs import Codec, Payload
from holdfast.message import Header
from holdfast.packet import Packet
from holdfast.seeding import Draws
from holdfast.types import IntArray

CODECS = [None, *catalogue("codecs"), "chain"]
every = pytest.mark.parametrize("name", CODECS)
D = 20


def codec_of(name: str | None) -> Codec | None:
    return None if name is None else build(Codec, ["top_k", "int8"] if name == "chain" else name)


def packet(name: str | None, nodes: IntArray, round: int = 3) -> Packet:
    """What some nodes send in two channels."""
    codec, payloads = codec_of(name), {}
    for number, channel in enumerate(("x", "direction")):
        source = torch.Generator().manual_seed(number)
        x_KD = torch.randn(30, D, generator=source)[nodes]
        if codec is None:
            payloads[channel] = Payload({"values": x_KD}, D)
        else:
            draws = Draws(1, channel, nodes, round)
            _, payloads[channel] = codec.encode(codec.start(len(nodes), D), x_KD, draws)
    return Packet(round, nodes, payloads, torch.from_numpy(nodes * 1.5), torch.from_numpy(nodes / 2.0))


def same(a: Packet, b: Packet) -> None:
    assert (a.round, a.nodes_K.tolist(), list(a.payloads)) == (b.round, b.nodes_K.tolist(), list(b.payloads))
    assert torch.equal(a.weights_K, b.weights_K)
    assert torch.equal(a.losses_K, b.losses_K)
    for channel, payload in a.payloads.items():
        other = b.payloads[channel]
        assert (payload.columns, list(payload.tensors)) == (other.columns, list(other.tensors))
        for name, tensor in payload.tensors.items():
            theirs, width = other.tensors[name], int(payload.lengths[name].max()) if name in payload.lengths else None
            assert tensor.dtype == theirs.dtype
            assert torch.equal(tensor[..., :width], theirs[..., :width])
        assert {n: k.tolist() for n, k in payload.lengths.items()} == {n: k.tolist() for n, k in other.lengths.items()}


@every
def test_a_part_is_what_those_nodes_would_send(name: str | None) -> None:
    whole = packet(name, np.array([2, 5, 9, 11]))
    for some in ([1], [3, 0], []):
        part = whole.rows(np.array(some, dtype=np.int64))
        assert len(part) == len(some)
        if some:
            same(part, packet(name, whole.nodes_K[some]))
    assert whole.rows(np.arange(4)) is whole
    assert whole.rows(np.array([1, 0, 2, 3])) is not whole


@every
def test_it_survives_a_checkpoint(name: str | None) -> None:
    whole = packet(name, np.array([2, 5, 9]))
    state = whole.state()
    assert all(isinstance(tensor, torch.Tensor) for tensor in state.values())
    restored = Packet.of({key: state[key].clone() for key in sorted(state)})
    same(Packet.of(state), whole)
    codec = codec_of(name)
    for channel, payload in whole.payloads.items():
        ours, theirs = (p if codec is None else codec.decode(p) for p in (payload, restored.payloads[channel]))
        ours, theirs = (p.tensors["values"] if isinstance(p, Payload) else p for p in (ours, theirs))
        assert torch.equal(ours, theirs)


@every
def test_its_bytes_are_those_on_the_wire(name: str | None) -> None:
    alone = packet(name, np.array([5]))
    tensors = {f"{c}.{n}": t for c, payload in alone.payloads.items() for n, t in payload.tensors.items()}
    ragged = sum(len(payload.lengths) for payload in alone.payloads.values())
    bytes_on_wire = sum(len(t.contiguous().view(torch.uint8).flatten()) for t in tensors.values()) + 4 * ragged
    assert alone.bytes_K.tolist() == [bytes_on_wire]
    shapes = {n: (str(t.dtype).removeprefix("torch."), list(t.shape[1:])) for n, t in tensors.items()}
    assert alone.header_bytes == len(msgspec.msgpack.encode(Header(3, 5, 7.5, 2.5, shapes)))
    several = packet(name, np.array([5, 6, 7]))
    each = [int(packet(name, np.array([node])).bytes_K[0]) for node in (5, 6, 7)]
    assert several.bytes_K.tolist() == each
    assert ragged or (each, several.header_bytes) == ([bytes_on_wire] * 3, alone.header_bytes)


def test_the_order_of_arrival_does_not_show() -> None:
    packets = [packet(None, np.array([node]), round) for round in (1, 2) for node in (0, 4, 7)]
    shuffled = [packets[i] for i in (3, 0, 5, 2, 1, 4)]
    assert [id(p) for p in Packet.gather(shuffled)] == [id(p) for p in packets]
