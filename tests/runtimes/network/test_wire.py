"""What comes over the wire is a statement that its sender signed, or a MessageError; nothing else, whatever comes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.runtimes.network import wire
from holdfast.runtimes.network.identity import Identity, verify
from holdfast.runtimes.network.wire import MessageError, opened, sealed

ALICE = Identity.fresh("alice")
WHO = {"run": "ab-1", "sender": "alice"}
TO = WHO | {"to": "bob"}
KEY = "0" * 64
STATEMENTS = [
    wire.Parcel(**TO, phase="update", round=3, nodes=[1, 4], specs=[wire.Spec("x.values", "float32", [2, 5], 5)],
                chunk=wire.CHUNK, digests=b"d" * 32, weights=[1.0, 2.5], losses=[0.1, float("inf")], silent=[2],
                silent_losses=[0.3]),
    wire.Hello(**WHO, protocol=1, version="1", instance="cd", key=ALICE.public, clock=1.5, secret=KEY, rows="0-3"),
    wire.Welcome(**WHO, links=wire.Links(peers=True), instance="cd", key=KEY, secret=KEY, rows="0", experiment="{}"),
    wire.Refusal(**WHO, instance="cd", field="f", required="r", given="g", remedy="m"),
    wire.Begin(**TO, variant="main", round=0, peers={"bob": wire.Peer(KEY, "0-9")}),
    wire.Go(**TO, round=1),
    wire.Ready(**WHO, instance="cd", round=1),
    wire.Report(**WHO, instance="cd", nodes=[0, 3], values=b"1234" * 2),
    wire.Sent(**WHO, phase="update", round=1),
    wire.Ask(**TO, phase="aaaa", round=1, nodes=[0, 9_999_999]),
    wire.Again(**WHO, phase="update", round=1, chunks=[0, 2**53 - 1]),
    wire.Beat(**WHO, instance="cd", count=7),
    wire.Told(**WHO, round=1, metrics=[("a", [1], [0.5])], events=[("e", None, "{}")], totals={"b": 1}),
    wire.Done(**WHO, nodes=[1], metrics={"a": [0.5]}),
    wire.End(**TO, reason="over"),
]  # fmt: skip
ENVELOPES = [sealed(ALICE, statement) for statement in STATEMENTS]


def by_alice(statement, body, signature):
    return statement.sender == "alice" and verify(ALICE.public, body, signature)


def said(**fields):
    """An envelope that alice signed, whatever it says."""
    body = msgspec.msgpack.encode({"type": "ask", "round": 1, "nodes": [], **WHO, **fields})
    return ALICE.sign(body) + body


def refused(envelope):
    with pytest.raises(MessageError) as error:
        opened(envelope, by_alice)
    return error.value.reason


def test_every_kind_of_statement_is_listed():
    assert {type(statement) for statement in STATEMENTS} == set(wire.Statement.__args__)


@pytest.mark.parametrize("n", range(len(STATEMENTS)), ids=lambda n: type(STATEMENTS[n]).__name__)
def test_round_trip(n):
    assert opened(ENVELOPES[n], by_alice) == STATEMENTS[n]


def holds(envelope):
    try:
        found = opened(envelope, by_alice)
    except MessageError:
        return
    assert verify(ALICE.public, envelope[64:], envelope[:64])
    assert isinstance(found, tuple(type(s) for s in STATEMENTS))


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=400))
def test_random_bytes(content):
    holds(content)
    holds(ALICE.sign(content) + content)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(ENVELOPES), st.data())
def test_a_changed_envelope_is_refused(envelope, data):
    at = data.draw(st.integers(0, len(envelope) - 1))
    flip = data.draw(st.integers(1, 255))
    for changed in (
        envelope[:at] + bytes([envelope[at] ^ flip]) + envelope[at + 1 :],
        envelope[:at],
        envelope + bytes([flip]) * (at + 1),
    ):
        with pytest.raises(MessageError):
            opened(changed, by_alice)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(ENVELOPES), st.data())
def test_a_changed_body_that_its_sender_signed(envelope, data):
    body = bytearray(envelope[64:])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    holds(ALICE.sign(bytes(body)) + bytes(body))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=9) | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
FIELDS = sorted({name for statement in STATEMENTS for name in statement.__struct_fields__})


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(ENVELOPES), st.dictionaries(st.sampled_from([*FIELDS, "type"]), VALUES, max_size=3))
def test_wrong_values_that_their_sender_signed(envelope, wrong):
    body = msgspec.msgpack.encode(msgspec.msgpack.decode(envelope[64:]) | wrong)
    holds(ALICE.sign(body) + body)


@pytest.mark.parametrize(
    "fields",
    [
        {"other": 1},
        {"round": -1},
        {"round": 2**53},
        {"round": 1.5},
        {"round": True},
        {"nodes": [10_000_000]},
        {"nodes": [0] * (2**19 + 1)},
        {"nodes": "0"},
        {"sender": "alice\n"},
        {"sender": "../alice"},
        {"run": "ab-1\n"},
        {"type": "nobody"},
        {"type": "sent", "phase": "update\n"},
        {"type": "end", "reason": "x" * 201},
    ],
)
def test_out_of_bounds(fields):
    assert refused(said(**fields)) == "malformed"


def test_text_that_is_none():
    body = msgspec.msgpack.encode({"type": "end", **WHO, "reason": "xx"}).replace(b"\xa2xx", b"\xa2\xff\xff")
    assert refused(ALICE.sign(body) + body) == "malformed"


@pytest.mark.parametrize("body", [b"\x91" * 100_000, b"\xdd" + b"\xff" * 4, b"\xdf" + b"\xff" * 4])
def test_nested_without_end_and_lengths_that_are_not_there(body):
    assert refused(ALICE.sign(body) + body) == "malformed"


def test_too_long_and_too_short():
    assert refused(b"x" * (wire.MOST_STATEMENT + 1)) == refused(b"") == refused(b"x" * 64) == "malformed"


def test_another_key():
    assert refused(sealed(Identity.fresh("alice"), STATEMENTS[-1])) == "forged"
