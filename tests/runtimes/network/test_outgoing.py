"""A parcel goes out whole, and parts of it again, but no more often than a receiver has reason to ask."""

from __future__ import annotations

import torch

from holdfast.codecs import Payload
from holdfast.runtimes.network.desk import AGAIN, CHUNKS, STATEMENTS
from holdfast.runtimes.network.identity import Identity
from holdfast.runtimes.network.outgoing import Outgoing
from holdfast.runtimes.network.seal import Seal
from holdfast.runtimes.network.wire import DATAGRAM, Parcel

ALICE = Identity.fresh("alice")


class Wires:
    """Stands for the post: what is sent is kept, as (link, kind, content)."""

    def __init__(self):
        self.sent = []

    def send(self, recipient, kind, payload):
        self.sent.append(("reliable", kind, payload))

    def send_paced(self, recipient, kind, payloads, rate):
        self.sent += [("best effort", kind, payload) for payload in payloads]


def parcel(seal=None):
    about = Parcel(run="0", sender="alice", phase="update", round=1, nodes=[0], specs=[], chunk=DATAGRAM, digests=b"")
    sent = {"x": Payload({"values": torch.ones(1, 700), "at": torch.arange(400).reshape(1, 400)}, 700)}
    return Outgoing.of(ALICE, sent, about, seal)


def test_all_of_it_the_manifest_first():
    wires, outgoing = Wires(), parcel()
    outgoing.send(wires, "bob")
    assert [kind for _, kind, _ in wires.sent] == [STATEMENTS, *[CHUNKS] * 6]
    assert len(outgoing.manifest.digests) == 6 * 32


def test_what_can_have_holes_goes_over_the_best_effort_link():
    wires = Wires()
    parcel(Seal(b"k" * 32)).send_best_effort(wires, "bob", 1e6)
    assert [(link, kind) for link, kind, _ in wires.sent] == [
        ("reliable", STATEMENTS),
        *[("reliable", CHUNKS)] * 3,
        *[("best effort", CHUNKS)] * 3,
    ]


def test_some_again_each_once_however_often_it_is_named():
    wires, outgoing = Wires(), parcel()
    outgoing.send_chunks(wires, "bob", [5, 1, 1, 1, 6, 2**53 - 1])
    assert len(wires.sent) == 2


def test_nobody_can_ask_without_end():
    wires, outgoing = Wires(), parcel()
    for _ in range(100):
        outgoing.send_chunks(wires, "mallory", list(range(6)))
    assert len(wires.sent) == AGAIN * 6
    outgoing.send_chunks(wires, "bob", [0])  # another does not suffer from it
    assert len(wires.sent) == AGAIN * 6 + 1
