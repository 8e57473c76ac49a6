"""A process that knows the address, hears everything and says whatever it likes changes nothing but its own row."""

from __future__ import annotations

import os
from contextlib import contextmanager

import msgspec
import psutil
import pytest
import torch
import zenoh

from holdfast.codecs import Payload
from holdfast.runtimes.network.desk import CHUNKS, STATEMENTS, framed
from holdfast.runtimes.network.identity import COORDINATOR, Identity
from holdfast.runtimes.network.member import Membership
from holdfast.runtimes.network.outgoing import Outgoing
from holdfast.runtimes.network.post import JOIN, ROOT
from holdfast.runtimes.network.wire import CHUNK, PROTOCOL, Begin, End, Go, Hello, Parcel, Ready, Spec, sealed

from .cluster import cluster
from .gates import PATIENCE, Gates, after_rounds, until

MANY = 100_000
MOST_MEMORY = 300 * 2**20
"""Bytes by which the coordinator's process may grow, with the hostile session inside it."""
HUGE = 10 * 2**30
"""Bytes that are announced."""


@pytest.fixture
def gates(tmp_path):
    return Gates(tmp_path / "gates")


class Mallory:
    """A plain zenoh session among those of a run.

    Args:
        made: the run.
        identity: the key with which it signs.
    """

    def __init__(self, made, identity=None):
        self.made, self.identity = made, identity or Identity.fresh("node-1")
        config = zenoh.Config()
        config.insert_json5("mode", '"client"')
        config.insert_json5("connect/endpoints", f'["tcp/{made.office.address}"]')
        config.insert_json5("scouting/multicast/enabled", "false")
        self.session, self.heard, self.overheard = zenoh.open(config), [], []
        self.ear = self.session.declare_subscriber(f"{ROOT}/**", lambda s: self.overheard.append(str(s.key_expr)))
        self._tap(made.office)

    def _tap(self, office):
        """Hear what reaches the coordinator, as somebody would who sits at its cable; zenoh tells it to nobody."""
        receive = office.post.receive

        def hear(sender, kind, payload):
            self.heard.append((f"{ROOT}/{office.scope}/to/{COORDINATOR}/{sender}/{kind}", payload))
            receive(sender, kind, payload)

        office.post.receive = hear

    def say(self, recipient, sender, kind, payload):
        self.say_at(f"{ROOT}/{self.made.office.scope}/to/{recipient}/{sender}/{kind}", payload)

    def say_at(self, key, payload):
        self.session.put(key, payload, congestion_control=zenoh.CongestionControl.BLOCK)

    def parcel(self, payloads=None, **changes):
        """An update of node 1 in round 2, as its process would send it, but for these changes."""
        payloads = {"update": Payload({"values": torch.full((1, 1), 1e6)}, 1)} if payloads is None else payloads
        about = {"run": self.made.office.run, "sender": "node-1", "to": COORDINATOR, "phase": "update"}
        about |= {
            "round": 2,
            "nodes": [1],
            "weights": [1.0],
            "losses": [0.0],
            "specs": [],
            "chunk": CHUNK,
            "digests": b"",
            **changes,
        }
        return Outgoing.of(self.identity, payloads, Parcel(**about))

    def announce(self, name, **changes):
        """Announce an update under a name, and send nothing."""
        self.say(COORDINATOR, name, STATEMENTS, self.parcel(**changes).envelope)

    def announce_ten_gigabytes(self, name, **changes):
        spec = Spec("update.values", "float32", [1, HUGE // 4], HUGE // 4)
        huge = {"specs": [spec], "digests": bytes(32 * (HUGE // CHUNK))}
        manifest = msgspec.structs.replace(self.parcel(**changes).manifest, **huge)
        self.say(COORDINATOR, name, STATEMENTS, sealed(self.identity, manifest))

    def knock(self, **changes):
        about = {"run": "0", "sender": "node-1", "protocol": PROTOCOL, "version": "0", "instance": "0", "clock": 0.0}
        about |= {"key": self.identity.public, "secret": "0" * 64, **changes}
        list(self.session.get(JOIN, payload=sealed(self.identity, Hello(**about)), timeout=5))

    def close(self):
        self.ear.undeclare()
        self.session.close()


@contextmanager
def mallory(made, identity=None):
    session = Mallory(made, identity)
    try:
        yield session
    finally:
        session.close()


def reasons(made):
    """What was dropped, by reason, as the record says it."""
    return {reason for event in made.notes.noted if event.kind == "dropped" for reason in event.detail}


def resident():
    return psutil.Process().memory_info().rss


def test_an_outsider_changes_nothing(tmp_path, gates):
    with cluster(tmp_path, ["0", "1"], **gates.fields(2)) as made, mallory(made) as m:
        made.start()
        made.play(1)
        until(lambda: any("/to/coordinator/node-1/c" in key for key, _ in m.heard), "what node 1 sent")
        made.office.session.put(f"{ROOT}/over", b"")
        until(lambda: f"{ROOT}/over" in m.overheard, "what was said last")
        assert not [key for key in m.overheard if f"/to/{COORDINATOR}/" in key]
        old, before = m.heard.copy(), resident()
        with gates.closed(1):
            rest = made.playing(1, first=2)
            gates.reached(1)  # its update is awaited
            for key, payload in old:
                m.say_at(key, payload)
            m.announce("node-1")
            m.announce(COORDINATOR, sender=COORDINATOR)
            m.announce_ten_gigabytes("node-1")
            m.say(COORDINATOR, "node-1", CHUNKS, framed("update", 2, 0, m.parcel().chunks[0]))
            chunk = next(payload for key, payload in old if "/to/coordinator/node-1/c" in key)
            m.say(COORDINATOR, "node-1", CHUNKS, chunk[:-1])
            m.say(COORDINATOR, "node-1", CHUNKS, framed("update", 2, 0, chunk[-3:]))  # in place of the right one
            m.say(COORDINATOR, "node-1", CHUNKS, framed("update", 2, 2**32 - 1, b"more"))
            for order in (End(run=made.office.run, sender=COORDINATOR, to="node-1", reason="mine"), *orders(made)):
                m.say("node-1", COORDINATOR, STATEMENTS, sealed(m.identity, order))
            m.knock()
            m.knock(sender=COORDINATOR)
            list(m.session.get(JOIN, payload=b"garbage", timeout=5))
            most = flood(made, m)
        assert rest.result(PATIENCE).item() == pytest.approx(after_rounds(10, *[[0, 1]] * 2), abs=1e-6)
        assert made.play(1, first=3).item() == pytest.approx(after_rounds(10, *[[0, 1]] * 3), abs=1e-6)
        assert most - before < MOST_MEMORY
        assert reasons(made) >= {"forged", "malformed", "unexpected", "wrong_chunk"}
        assert made.notes.of("suspected") == []
        made.office.end("done")
        for name, process in made.processes.items():
            process.join(PATIENCE)
            assert "over: done" in made.log(name)


def orders(made):
    """What only the coordinator may say."""
    yield Begin(run="f" * 16 + "-1", sender=COORDINATOR, to="node-1", variant="main", round=0)
    yield Go(run=made.office.run, sender=COORDINATOR, to="node-1", round=1)


def flood(made, m):
    """Very many small messages; the most memory that was used meanwhile."""
    most, dropped = 0, lambda: sum(made.office.desk.dropped.values())
    noise = os.urandom(32)
    for number in range(MANY):
        kind = (STATEMENTS, CHUNKS, "x")[number % 3]
        m.say(COORDINATOR, f"node-{number % 5}", kind, framed("update", number, number, noise[: number % 32]))
        if number % 1000 == 0:
            most = max(most, resident())
    until(lambda: dropped() >= MANY, "the coordinator has seen all of it")
    return max(most, resident())


def say_ready(member):
    """Answer an invitation if there is one: it is repeated until the coordinator has seen that the member is there."""
    begin = member.next(0.0)
    if isinstance(begin, Begin):
        member.begin(begin)
        member.say(COORDINATOR, Ready(run=begin.run, sender="node-2", instance=member.instance, round=0))


def test_a_member_changes_no_more_than_its_own_row(tmp_path, gates):
    with cluster(tmp_path, ["0", "1", "2"], **gates.fields(3)) as made:
        own = made.identities["node-2"]
        member = Membership(made.office.address, own, "2")
        with gates.closed(1), mallory(made, own) as m:
            made.start("node-0", "node-1")
            member.join()
            rest = made.playing(1)
            gates.reached(1, meanwhile=lambda: say_ready(member))
            about = {"run": made.office.run, "sender": "node-2"}
            mine = {**about, "round": 1}
            m.announce("node-2", **mine, nodes=[1])
            m.announce("node-2", **mine, nodes=[0, 2], weights=[1.0, 1.0], losses=[0.0, 0.0])
            m.announce("node-2", **mine, nodes=[2], payloads={"update": Payload({"values": torch.zeros(1, 2)}, 2)})
            m.announce("node-2", **mine, nodes=[2], payloads={"other": Payload({"values": torch.zeros(1, 1)}, 1)})
            m.announce("node-2", **mine, nodes=[2], weights=[float("inf")])
            m.announce("node-2", **mine, nodes=[2], weights=[-1.0])
            m.announce("node-1", **{**mine, "sender": "node-1"})
            m.announce_ten_gigabytes("node-2", **mine, nodes=[2])
            m.say(COORDINATOR, "node-2", STATEMENTS, sealed(own, End(**about, to=COORDINATOR, reason="mine")))
            good = m.parcel(**mine, nodes=[2], payloads={"update": Payload({"values": torch.ones(1, 1)}, 1)})
            m.say(COORDINATOR, "node-2", STATEMENTS, good.envelope)
            m.say(COORDINATOR, "node-2", CHUNKS, framed("update", 1, 0, bytes(4)))  # not what it announced
            m.say(COORDINATOR, "node-2", CHUNKS, framed("update", 1, 0, good.chunks[0]))
            until(lambda: made.office.desk.dropped["wrong chunk"], "the coordinator has seen all of it")
        model = rest.result(PATIENCE).item()
        assert model == pytest.approx(10 + (-5.0 - 4.5 + 1.0) / 3, abs=1e-6)
        assert reasons(made) >= {"foreign_rows", "wrong_shape", "wrong_weights", "forged", "wrong_chunk"}
        member.close()
