"""The desk takes what is expected, whole; whatever else comes is counted, changes nothing and takes no room."""

from __future__ import annotations

import math
import random
import struct
import time
import tracemalloc

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.codecs import Payload
from holdfast.runtimes.network import desk as desks
from holdfast.runtimes.network.desk import (
    AGAIN,
    ANY_ROUND,
    CHUNKS,
    GRACE,
    STATEMENTS,
    STRAYS,
    Arrived,
    Desk,
    Expectation,
    framed,
)
from holdfast.runtimes.network.identity import COORDINATOR, Identity, verify
from holdfast.runtimes.network.outgoing import Outgoing
from holdfast.runtimes.network.parcel import form_of
from holdfast.runtimes.network.seal import Seal
from holdfast.runtimes.network.wire import (
    CHUNK,
    DATAGRAM,
    Again,
    Ask,
    Beat,
    Begin,
    End,
    Go,
    Hello,
    Links,
    Parcel,
    Refusal,
    Sent,
    Spec,
    Welcome,
    sealed,
)

from .test_parcel import equal, payloads

WHO = {name: Identity.fresh(name) for name in ("alice", "bob", COORDINATOR)}
INDEX = struct.Struct("<I")
SEAL = Seal(b"k" * 32)
X = {"x": Payload({"values": torch.arange(2.0 * CHUNK // 4).reshape(2, -1), "at": torch.arange(8).reshape(2, 4)}, 3)}
SMALL = {"x": Payload({"values": torch.ones(2, 3)}, 3)}


class Office:
    """A desk with what came of it."""

    def __init__(self):
        self.put, self.asked = [], []
        self.desk = Desk(self.verify, self.put.append, lambda name, again: self.asked.append((name, again)), "here")
        self.desk.begin("ab-1")

    def verify(self, statement, body, signature):
        who = WHO.get(statement.sender)
        return who is not None and verify(who.public, body, signature)

    def expect(self, sent=X, sender="alice", phase="update", round=1, nodes=(0, 3), **fields):
        self.desk.expect(sender, phase, round, Expectation(form_of(sent), frozenset(nodes), **fields))

    def all_sent(self, sender="alice", phase="update", round=1, after=2 * GRACE):
        """The sender says that all datagrams are sent, and some time passes."""
        word = Sent(run="ab-1", sender=sender, phase=phase, round=round)
        self.desk.receive(sender, STATEMENTS, sealed(WHO[sender], word))
        self.desk.tend(time.monotonic() + after)

    def take(self, frames, sender="alice"):
        for kind, content in frames:
            self.desk.receive(sender, kind, content)


class Wires(list):
    """Stands for the post."""

    def send(self, recipient, kind, payload):
        self.append((kind, bytes(payload)))

    def send_paced(self, recipient, kind, payloads, rate):
        for payload in payloads:
            self.send(recipient, kind, payload)


def outgoing(sent=X, seal=None, signer="alice", **fields):
    about = {"run": "ab-1", "sender": "alice", "to": "here", "phase": "update", "round": 1, "nodes": [0, 3]}
    about |= {
        "weights": [1.0, 2.0],
        "losses": [0.0, 0.0],
        "specs": [],
        "chunk": DATAGRAM if seal else CHUNK,
        "digests": b"",
    } | fields
    return Outgoing.of(WHO[signer], sent, Parcel(**about), seal)


def frames(parcel):
    wires = Wires()
    parcel.send(wires, "here")
    floats_last = wires[1:-1] if parcel.seal else wires[1:]  # of sealed ones those that can have holes come last
    by_index = sorted(floats_last, key=lambda frame: INDEX.unpack_from(frame[1], 20))
    return [wires[0], *by_index]


def said(manifest, signer="alice"):
    return [(STATEMENTS, sealed(WHO[signer], manifest))]


@pytest.fixture
def office():
    return Office()


@settings(deadline=None, max_examples=60)
@given(payloads(), st.booleans(), st.data())
def test_any_payloads_in_any_order_with_duplicates(sent, closed, data):
    office, seal = Office(), SEAL if closed else None
    office.expect(sent, seal=seal)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("holdfast.runtimes.network.parcel." + ("DATAGRAM" if closed else "CHUNK"), 40)
        sending = frames(outgoing(sent, seal, chunk=40))
        office.take(data.draw(st.permutations([*sending, *sending[::2]])))
    [arrived] = office.put
    equal(arrived.payloads, sent)
    assert arrived.holes == 0
    assert set(office.desk.dropped) <= {"duplicate"}
    assert office.desk._open == office.desk._strays == {}
    assert office.desk._stray_bytes == 0


LOOK = outgoing().manifest
HOSTILE = {
    "another run": ({"run": "ab-2"}, "foreign run"),
    "another round": ({"round": 2}, "unexpected"),
    "another phase": ({"phase": "answer"}, "unexpected"),
    "foreign rows": ({"nodes": [0, 4]}, "foreign rows"),
    "rows twice": ({"nodes": [0, 0]}, "foreign rows"),
    "negative weight": ({"weights": [1.0, -1.0]}, "wrong weights"),
    "no weight": ({"weights": [1.0, math.nan]}, "wrong weights"),
    "weight without end": ({"weights": [1.0, 1e308]}, "wrong weights"),
    "other tensors": ({"specs": LOOK.specs[:1]}, "wrong shape"),
    "10 GB": ({"specs": [Spec("x.values", "float32", [2, 1_250_000_000], 3), LOOK.specs[1]]}, "wrong shape"),
    "10 GB of rows": ({"nodes": [0, 3], "digests": b"d" * 2**20}, "wrong chunks"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_manifests_that_are_not_as_they_must_be(office, name):
    fields, reason = HOSTILE[name]
    office.expect()
    envelope = said(replace(LOOK, **fields))
    tracemalloc.start()
    office.take(envelope)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20
    assert office.desk.dropped == {reason: 1}
    assert (office.put, office.desk._open) == ([], {})
    office.take(frames(outgoing()))  # and the true one still comes through
    equal(office.put[0].payloads, X)


def test_forged_senders(office):
    office.expect()
    office.take(frames(outgoing(signer="bob"))[:1])
    office.take(frames(outgoing())[:1], sender="bob")
    office.take(said(replace(LOOK, sender="carol")), sender="carol")
    assert (office.desk.dropped, office.put) == ({"forged": 3}, [])


def test_replays_are_no_news(office):
    office.expect()
    sending = frames(outgoing())
    office.take(sending)
    office.take(sending)
    assert len(office.put) == 1
    assert office.desk.dropped == {"duplicate": len(sending)}
    office.desk.forget(2)
    office.take(sending)
    assert len(office.put) == 1
    assert office.desk._expected == office.desk._open == office.desk._strays == {}
    assert not office.desk._closed


def test_any_round_is_any_that_is_not_over(office):
    office.expect(SMALL, COORDINATOR, "broadcast", ANY_ROUND)
    about = {"signer": COORDINATOR, "sender": COORDINATOR, "phase": "broadcast"}
    office.desk.forget(3)
    for round in (2, 3, 7, 3):
        office.take(frames(outgoing(SMALL, round=round, **about)), COORDINATOR)
    assert [arrived.manifest.round for arrived in office.put] == [3, 7]
    assert office.desk.dropped == {"unexpected": 2, "duplicate": 2}


def test_a_second_manifest_with_other_content(office):
    office.expect()
    first, second = frames(outgoing()), frames(outgoing(weights=[5.0, 5.0]))
    office.take(first[:1] + second[:1] + first[1:] + second[:1])
    assert office.put[0].manifest.weights == [1.0, 2.0]
    assert office.desk.dropped == {"duplicate": 2}


def test_garbage_before_and_after_the_manifest(office):
    office.expect()
    (_, manifest), *chunks = frames(outgoing())
    whole = chunks[0][1]
    garbage = [whole[:-1], whole + b"x", whole[:24] + b"g" * (len(whole) - 24), whole[:24], whole[:23], b""]
    garbage += [
        framed("update", 1, 2**32 - 1, b"x"),
        framed("\xe9" * 8, 1, 0, b"x"),
        framed("update", 2**32 - 1, 0, b""),
    ]
    for before_and_after in (garbage, [(manifest)], garbage):
        for content in before_and_after:
            office.desk.receive("alice", STATEMENTS if content is manifest else CHUNKS, content)
    assert office.put == []
    assert len(office.asked) == AGAIN
    office.take(chunks)
    equal(office.put[0].payloads, X)
    office.desk.receive("alice", "q", b"")
    assert {"malformed", "unexpected", "no such chunk", "wrong chunk"} == set(office.desk.take_dropped())
    assert not office.desk.dropped


def test_a_wrong_chunk_is_asked_for_a_bounded_number_of_times(office):
    office.expect()
    manifest, (kind, chunk), *_ = frames(outgoing())
    office.take([manifest, *[(kind, chunk[:-1] + b"?")] * 10])
    again = Again(run="ab-1", sender="here", phase="update", round=1, chunks=[0])
    assert office.asked == [("alice", again)] * AGAIN
    assert office.desk.unfinished() == [("alice", "update", 1)]
    office.desk.forget(2)
    assert not office.desk._asked


def test_no_more_is_asked_for_at_once_than_a_statement_holds(office, monkeypatch):
    monkeypatch.setattr(desks, "MOST_ASKED", 2)
    office.expect(seal=SEAL)
    office.take(frames(outgoing(seal=SEAL))[:1])
    for _ in range(2):
        office.all_sent()
    assert all(len(again.chunks) == 2 for _, again in office.asked)


def test_holes(office):
    office.expect(seal=SEAL, may_lose=True)
    manifest, *chunks = frames(outgoing(seal=SEAL))
    office.all_sent()
    office.take([manifest, *chunks[:3], *chunks[5:-1]])
    office.all_sent()
    assert [again.chunks for _, again in office.asked] == [[len(chunks) - 1]]  # whole numbers cannot do without
    office.take(chunks[-1:])
    assert office.put == []
    office.all_sent()
    [arrived] = office.put
    missing = arrived.payloads["x"].tensors["values"].flatten().isnan().nonzero().flatten()
    assert (arrived.holes, missing.tolist()) == (2, list(range(3 * 300, 5 * 300)))


def test_without_holes_everything_is_asked_for_again(office):
    office.expect(seal=SEAL)
    manifest, *chunks = frames(outgoing(seal=SEAL))
    office.take([manifest, *chunks[:3], *chunks[5:]])
    office.all_sent()
    assert [again.chunks for _, again in office.asked] == [[3, 4]]
    office.take(chunks[3:5])
    assert len(office.put) == 1


def test_datagrams_have_a_while_to_come_after_the_word_that_all_are_sent(office):
    office.expect(seal=SEAL, may_lose=True)
    manifest, *chunks = frames(outgoing(seal=SEAL))
    office.take([manifest, *chunks[:-2], *chunks[-1:]])
    office.all_sent(after=0.0)
    assert office.put == []
    office.take(chunks[-2:-1])
    assert office.put[0].holes == 0


def test_lengths_that_are_wrong_end_nothing_when_the_rest_is_lost(office):
    longest = {"x": Payload({"kept": torch.zeros(1, 900)}, 900, {"kept": torch.tensor([900])})}
    office.expect(longest, seal=SEAL, may_lose=True)
    flat = {"x": Payload({"kept": torch.ones(900), "kept#": torch.tensor([900, 1], dtype=torch.int32)}, 900)}
    lies = outgoing(flat, SEAL)
    specs = [replace(spec, ragged=spec.name == "x.kept") for spec in lies.manifest.specs]
    office.take(said(replace(lies.manifest, specs=specs)))
    office.take(frames(lies)[2:])  # all but the first chunk
    office.all_sent()
    assert (office.put, office.desk.dropped, office.desk.unfinished()) == ([], {"wrong lengths": 1}, [])


def test_sealed_chunks_of_another_key_or_place(office):
    office.expect(seal=SEAL)
    manifest, *chunks = frames(outgoing(seal=SEAL))
    office.take([manifest, (CHUNKS, framed("update", 1, 1, chunks[0][1][24:]))])
    office.take(frames(outgoing(seal=Seal(b"o" * 32)))[1:])
    assert office.desk.dropped == {"wrong chunk": 1 + len(chunks)}
    assert office.asked == []


ABOUT = {"run": "ab-1", "instance": "1"}
ORDERS = [
    Begin(run="ab-1", sender="alice", to="here", variant="v", round=1),
    Go(run="ab-1", sender="alice", to="here", round=1),
    Ask(run="ab-1", sender="alice", to="here", phase="aaaa", round=1, nodes=[]),
    End(run="ab-1", sender="alice", to="here", reason="mine"),
]
DOOR = [
    Hello(**ABOUT, sender="alice", protocol=1, version="", key="0" * 64, clock=0.0, secret="0" * 64),
    Welcome(**ABOUT, sender="alice", links=Links(), key="0" * 64, secret="0" * 64, rows="", experiment=""),
    Refusal(**ABOUT, sender="alice", field="", required="", given="", remedy=""),
]


@pytest.mark.parametrize("statement", ORDERS + DOOR, ids=lambda s: type(s).__name__)
def test_a_node_gives_no_orders(office, statement):
    office.take(said(statement))
    assert (office.put, list(office.desk.dropped)) == ([], ["not for the sender to say"])
    own = replace(statement, sender=COORDINATOR)
    office.take(said(own, COORDINATOR), COORDINATOR)
    assert office.put == ([own] if statement in ORDERS else [])


@pytest.mark.parametrize("statement", ORDERS, ids=lambda s: type(s).__name__)
def test_an_order_to_another_is_none_when_it_is_passed_on(office, statement):
    office.take(said(replace(statement, sender=COORDINATOR, to="bob"), COORDINATOR), COORDINATOR)
    assert (office.put, office.desk.dropped) == ([], {"for another": 1})


def test_a_parcel_to_another_takes_nobodys_place(office):
    office.expect()
    office.take(frames(outgoing(to="bob"))[:1])
    office.take(frames(outgoing()))
    assert (len(office.put), office.desk.dropped) == (1, {"for another": 1})


@pytest.mark.parametrize(
    ("run", "taken"), [("ab-1", True), ("ab-2", True), ("ab-10", True), ("cd-1", True), ("ab", False), ("ab-0", False)]
)
def test_the_next_run_begins_and_an_earlier_one_does_not(office, run, taken):
    office.take(said(Begin(run=run, sender=COORDINATOR, to="here", variant="v", round=0), COORDINATOR), COORDINATOR)
    assert bool(office.put) is taken


def test_many_small_messages_take_no_room(office):
    office.expect(SMALL)
    office.expect(SMALL, COORDINATOR, "broadcast", ANY_ROUND)
    beat = sealed(WHO["bob"], Beat(**ABOUT, sender="bob", count=1))
    draw = random.Random(0)
    kinds = [
        lambda n: ("alice", CHUNKS, framed("update", 1, n % 7, b"")),
        lambda n: (COORDINATOR, CHUNKS, framed("broadcast", n, 0, draw.randbytes(n % 300))),
        lambda n: ("alice", CHUNKS, draw.randbytes(n % 99)),
        lambda n: (f"stranger-{n}", STATEMENTS, draw.randbytes(n % 99)),
        lambda n: ("alice", STATEMENTS, beat[: n % len(beat)]),
        lambda n: (f"stranger-{n}", f"k{n}", b""),
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(desks, "STRAYS", 2**20)
        tracemalloc.start()
        for n in range(20_000):
            office.desk.receive(*kinds[n % len(kinds)](n))
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert STRAYS == 2**24
    assert office.desk._stray_bytes <= 2**20
    assert kept <= peak < 2 * 2**20
    assert (office.put, len(office.desk.dropped) < 6) == ([], True)
    office.take(frames(outgoing(SMALL)))
    assert isinstance(office.put[0], Arrived)
    office.desk.begin("ab-2")
    assert office.desk._stray_bytes == 0
    assert not office.desk._strays


def test_a_parcel_may_begin_anew(office):
    office.expect()
    manifest, first, *rest = frames(outgoing())
    office.take([manifest, first])
    office.desk.restart(("alice", "update", 1))
    office.take([manifest, first, *rest])
    assert len(office.put) == 1
    assert not office.desk.dropped


def test_a_run_of_another_coordinator_must_be_that_of_the_one_joined(office):
    begin = Begin(run="cd-1", sender=COORDINATOR, to="here", variant="main", round=0)
    office.desk.scope = "ef"
    office.take(said(begin, COORDINATOR), COORDINATOR)
    office.desk.scope = "cd"
    office.take(said(begin, COORDINATOR), COORDINATOR)
    assert (office.put, office.desk.dropped) == ([begin], {"foreign run": 1})
