"""Tensors that travel in chunks arrive as they were, in whatever order and however often the chunks come."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.codecs import Payload
from holdfast.runtimes.network.parcel import (
    Assembly,
    check,
    chunks_of,
    digests_of,
    form_of,
    packet_of,
    specs_of,
    tensors_of,
)
from holdfast.runtimes.network.wire import CHUNK, MessageError, Parcel, Spec

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.uint8, torch.int32, torch.bool]


@st.composite
def payloads(draw, rows=2):
    found = {}
    for channel in draw(st.lists(st.sampled_from(["x", "c"]), min_size=1, max_size=2, unique=True)):
        tensors = {}
        for name in draw(st.lists(st.sampled_from(["values", "scale", "at"]), min_size=1, max_size=3, unique=True)):
            dtype, columns = draw(st.sampled_from(DTYPES)), draw(st.integers(0, 40))
            shape = (rows, columns) if draw(st.booleans()) else (rows,)
            tensors[name] = (torch.arange(math.prod(shape)).reshape(shape) * 37 % 100).to(dtype)
        found[channel] = Payload(tensors, 40)
    return found


def manifest_of(sent, chunk=CHUNK, **fields):
    digests = digests_of(chunks_of(tensors_of(sent), chunk))
    about = {"nodes": [0, 3], "weights": [1.0, 2.0], "losses": [0.5, math.nan], "specs": specs_of(sent)}
    return Parcel(
        run="0", sender="alice", to="bob", phase="update", round=1, chunk=chunk, digests=digests, **about | fields
    )


def equal(a, b):
    assert list(a) == list(b)
    for channel in a:
        assert list(a[channel].tensors) == list(b[channel].tensors)
        for name, tensor in a[channel].tensors.items():
            other = b[channel].tensors[name]
            assert tensor.dtype == other.dtype
            assert torch.equal(tensor, other)


@settings(deadline=None, max_examples=100)
@given(payloads(), st.sampled_from([8, 24, 64, 80]), st.data())
def test_any_payloads_in_any_order_with_duplicates(sent, chunk, data):
    chunks = chunks_of(tensors_of(sent), chunk)
    assembly = Assembly(manifest_of(sent, chunk), form_of(sent))
    for n in data.draw(st.permutations([*range(len(chunks)), *range(0, len(chunks), 2)])):
        assembly.accept(n, bytes(chunks[n]))
    assert assembly.complete
    assert assembly.fill() == 0
    equal(assembly.payloads(), sent)


ONE = {"x": Payload({"values": torch.arange(6.0).reshape(2, 3)}, 3)}
ALLOWED = frozenset({0, 3, 5})


def test_what_is_announced_as_expected():
    manifest = manifest_of(ONE)
    check(manifest, form_of(ONE), ALLOWED, 2)
    packet = packet_of(manifest, ONE)
    assert packet.nodes_K.tolist() == [0, 3]
    assert packet.weights_K.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"nodes": [0, 4]}, "foreign rows"),
        ({"nodes": [3, 0]}, "foreign rows"),
        ({"nodes": [0, 0]}, "foreign rows"),
        ({"silent": [0], "silent_losses": [0.0]}, "foreign rows"),
        ({"silent": [4], "silent_losses": [0.0]}, "foreign rows"),
        ({"silent": [5]}, "wrong weights"),
        ({"weights": [1.0]}, "wrong weights"),
        ({"losses": []}, "wrong weights"),
        ({"weights": [1.0, -1.0]}, "wrong weights"),
        ({"weights": [1.0, math.nan]}, "wrong weights"),
        ({"weights": [1.0, math.inf]}, "wrong weights"),
        ({"weights": [1.0, 1e300]}, "wrong weights"),
        ({"specs": []}, "wrong shape"),
        ({"specs": [Spec("x.values", "float32", [2, 4], 3)]}, "wrong shape"),
        ({"specs": [Spec("x.values", "float32", [2, 2**50], 3)]}, "wrong shape"),
        ({"specs": [Spec("x.values", "float64", [2, 3], 3)]}, "wrong shape"),
        ({"specs": [Spec("x.values", "object", [2, 3], 3)]}, "wrong shape"),
        ({"specs": [Spec("y.values", "float32", [2, 3], 3)]}, "wrong shape"),
        ({"specs": [Spec("x.values", "float32", [2, 3], 2**52)]}, "wrong shape"),
        ({"chunk": 8}, "wrong chunks"),
        ({"digests": b""}, "wrong chunks"),
        ({"digests": b"d" * 64}, "wrong chunks"),
    ],
)
def test_what_is_not(fields, reason):
    with pytest.raises(MessageError, match=reason):
        check(replace(manifest_of(ONE), **fields), form_of(ONE), ALLOWED, 2)


RAGGED = {"x": Payload({"kept": torch.tensor([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0]])}, 9, {"kept": torch.tensor([3, 1])})}
LONGEST = {"x": Payload({"kept": torch.zeros(1, 9)}, 9, {"kept": torch.tensor([9])})}


def received(sent, manifest=None):
    assembly = Assembly(manifest or manifest_of(sent), form_of(LONGEST))
    for n, chunk in enumerate(chunks_of(tensors_of(sent))):
        assembly.accept(n, bytes(chunk))
    return assembly.payloads()


def test_of_ragged_rows_what_is_real_travels():
    manifest = manifest_of(RAGGED)
    check(manifest, form_of(LONGEST), ALLOWED, 2)
    assert [spec.shape for spec in manifest.specs] == [[4], [2]]
    found = received(RAGGED)
    equal(found, RAGGED)
    assert found["x"].lengths["kept"].tolist() == [3, 1]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_ragged_rows_of_any_lengths(lengths):
    lengths_K = torch.tensor(lengths)
    kept = torch.rand(len(lengths), 9) * (torch.arange(9) < lengths_K.unsqueeze(1))
    sent = {"x": Payload({"kept": kept}, 9, {"kept": lengths_K})}
    found = received(sent)["x"]
    assert found.lengths["kept"].tolist() == lengths
    assert torch.equal(found.tensors["kept"], kept[:, : max(lengths)])


@pytest.mark.parametrize(
    ("length", "lengths"),
    [
        *[(4, lengths) for lengths in ([4, 1], [5, -1], [0, 0], [-4, 8], [2**31 - 1, -(2**31) + 5])],
        (10, [10, 0]),  # as many as two rows may have, and one has them all
        (18, [0, 18]),
    ],
)
def test_lengths_that_are_not_those_of_the_rows(length, lengths):
    flat = {"x": Payload({"kept": torch.ones(length), "kept#": torch.tensor(lengths, dtype=torch.int32)}, 9)}
    specs = [replace(spec, ragged=spec.name == "x.kept") for spec in specs_of(flat)]
    with pytest.raises(MessageError, match="wrong lengths"):
        received(flat, manifest_of(flat, specs=specs))


def test_ragged_rows_longer_than_any_row_can_be():
    long = {"x": Payload({"kept": torch.ones(2, 10)}, 9, {"kept": torch.tensor([10, 9])})}
    with pytest.raises(MessageError, match="wrong shape"):
        check(manifest_of(long), form_of(LONGEST), ALLOWED, 2)


def test_a_broadcast_may_leave_channels_out():
    both = {"x": ONE["x"], "c": ONE["x"]}
    check(manifest_of(ONE), form_of(both), ALLOWED, 2, partial=True)
    check(manifest_of({}), form_of(both), ALLOWED, 2, partial=True)
    with pytest.raises(MessageError, match="wrong shape"):
        check(manifest_of(ONE), form_of(both), ALLOWED, 2)
    with pytest.raises(MessageError, match="wrong shape"):
        check(manifest_of({"y": ONE["x"]}), form_of(both), ALLOWED, 2, partial=True)


def test_chunks_that_do_not_belong():
    chunks = chunks_of(tensors_of(ONE), 16)
    assembly = Assembly(manifest_of(ONE, 16), form_of(ONE))
    for index, content in [(-1, b""), (2, b""), (2**40, b"")]:
        with pytest.raises(MessageError, match="no such chunk"):
            assembly.accept(index, content)
    for content in (b"", bytes(chunks[0])[:-1], bytes(chunks[0]) + b"x", b"g" * 16):
        with pytest.raises(MessageError, match="wrong chunk"):
            assembly.accept(0, content)
    assert not assembly.arrived.any()


def test_holes_are_nan_exactly_where_chunks_are_missing():
    sent = {"x": Payload({"values": torch.arange(1.0, 13).reshape(2, 6), "at": torch.arange(8).reshape(2, 4)}, 6)}
    chunks = chunks_of(tensors_of(sent), 16)
    assembly = Assembly(manifest_of(sent, 16), form_of(sent), sealed=True)
    for n in [0, 2, *range(4, len(chunks))]:
        assembly.accept(n, bytes(chunks[n]))
    assert (assembly.missing(floats=True), assembly.missing(floats=False)) == ([1], [3])
    assert assembly.fill() == 1
    found = assembly.payloads()["x"].tensors["values"].flatten()
    assert found.isnan().tolist() == [4 <= n < 8 for n in range(12)]
    assert torch.equal(found[8:], torch.arange(9.0, 13))


def test_bytes_that_are_no_truth_values():
    sent = {"x": Payload({"on": torch.tensor([[True, False]])}, 2)}
    assembly = Assembly(manifest_of(sent), form_of(sent), sealed=True)
    assembly.accept(0, b"\xff\x00")
    assert assembly.payloads()["x"].tensors["on"].view(torch.uint8).tolist() == [[1, 0]]
