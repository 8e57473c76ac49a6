"""A parcel goes out whole, and parts of it again, but no more often than a receiver has reason to ask."""

from __future__ import annotations

import torch

from holdfast.codecs import Payload
from holdfast.runtimes.network.desk import AGAIN, CHUNKS, STATEMENTS
from holdfast.runtimes.network.identity import Identity, verify
from holdfast.runtimes.network.outgoing import Outgoing
from holdfast.runtimes.network.seal import Seal
from holdfast.runtimes.network.wire import CHUNK, DATAGRAM, Parcel, opened

ALICE = Identity.fresh("alice")


class Wires:
    """Stands for the post: what is sent is kept, as (link, kind, content)."""

    def __init__(self):
        self.sent = []

    def send(self, recipient, kind, payload):
        self.sent.append(("reliable", kind, payload))

    def send_paced(self, recipient, kind, payloads, rate):
        self.sent += [("best effort", kind, payload) for payload in payloads]


def parcel(seal=None, chunk=DATAGRAM):
    about = Parcel(
        run="0", sender="alice", to="bob", phase="update", round=1, nodes=[0], specs=[], chunk=chunk, digests=b""
    )
    sent = {"x": Payload({"values": torch.ones(1, 700), "at": torch.arange(400).reshape(1, 400)}, 700)}
    return Outgoing.of(ALICE, sent, about, seal)


def test_all_of_it_the_manifest_first():
    wires, outgoing = Wires(), parcel(chunk=CHUNK)
    outgoing.send(wires, "bob")
    assert [kind for _, kind, _ in wires.sent] == [STATEMENTS, *[CHUNKS] * 2]
    assert len(outgoing.manifest.digests) == 2 * 32


def test_what_can_have_holes_goes_over_the_best_effort_link():
    wires = Wires()
    outgoing = parcel(Seal(b"k" * 32))
    outgoing.send(wires, "bob")
    assert [(link, kind) for link, kind, _ in wires.sent] == [
        ("reliable", STATEMENTS),
        *[("reliable", CHUNKS)] * 3,
        *[("best effort", CHUNKS)] * 3,
        ("reliable", STATEMENTS),
    ]
    assert wires.sent[-1][2] == outgoing.sent


def test_what_is_lost_again_and_again_goes_over_the_reliable_link():
    outgoing, links = parcel(Seal(b"k" * 32)), []
    for _ in range(AGAIN):
        wires = Wires()
        outgoing.repeat(wires, "bob", [0])
        links.append(wires.sent[0][0])
    assert links == [*["best effort"] * (AGAIN - 1), "reliable"]


def test_some_again_each_once_however_often_it_is_named():
    wires, outgoing = Wires(), parcel()
    outgoing.repeat(wires, "bob", [5, 1, 1, 1, 6, 2**53 - 1])
    assert len(wires.sent) == 2


def test_nobody_can_ask_without_end():
    wires, outgoing = Wires(), parcel()
    for _ in range(100):
        outgoing.repeat(wires, "mallory", list(range(6)))
    assert len(wires.sent) == AGAIN * 6
    outgoing.repeat(wires, "bob", [0])  # another does not suffer from it
    assert len(wires.sent) == AGAIN * 6 + 1


def test_who_has_begun_anew_gets_all_of_it_a_few_times():
    wires, outgoing = Wires(), parcel(chunk=CHUNK)
    for _ in range(10):
        outgoing.repeat(wires, "bob", [])
    assert [kind for _, kind, _ in wires.sent] == [STATEMENTS, CHUNKS, CHUNKS] * AGAIN


def test_to_another_recipient_with_a_signature_of_its_own():
    to_carol = parcel().to("carol", ALICE)
    said = opened(to_carol.envelope, lambda statement, body, signature: verify(ALICE.public, body, signature))
    assert said == to_carol.manifest
    assert (said.to, said.digests) == ("carol", parcel().manifest.digests)
