"""The post, over real sessions."""

from __future__ import annotations

import queue
import time

import pytest
import zenoh

from holdfast.errors import InputError
from holdfast.runtimes.network.post import ROOT, Address, Post, open_session


@pytest.mark.parametrize("text", ["", "here", "127.0.0.1", ":7447", "a:b", "a:70000", "tcp/a:1", "a:-1"])
def test_an_address_is_a_host_and_a_port(text):
    with pytest.raises(InputError, match="HOST:PORT"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [("localhost:1", True), ("127.0.0.9:1", True), ("[::1]:1", True), ("0.0.0.0:1", False), ("example.org:1", False)],
)
def test_what_is_reachable_from_other_machines(text, loopback):
    address = Address.parse(text)
    assert address.loopback is loopback
    assert str(address) == text


def test_a_port_in_use_is_told():
    address = Address("127.0.0.1", 0).settled()
    with open_session("router", [address.endpoint(False)]), pytest.raises(InputError, match="port in use"):
        open_session("router", [address.endpoint(False)])


def test_messages_come_in_order_and_nobody_else_reads_what_the_coordinator_gets():
    address = Address("127.0.0.1", 0).settled()
    came: queue.SimpleQueue[tuple[str, str, bytes]] = queue.SimpleQueue()
    with open_session("router", [address.endpoint(False)]) as office, zenoh.open(spying(address)) as spy:
        overheard = spy.declare_subscriber("**", zenoh.handlers.FifoChannel(100))
        here = Post(office, "coordinator", "ab", lambda *what: came.put(what))
        with open_session("peer", connect=[address.endpoint(False)]) as session:
            node = Post(session, "alice", "ab", lambda *what: None)
            publisher = node._publisher("coordinator", "s", True)
            while not publisher.matching_status.matching:
                time.sleep(0.001)
            for number in range(50):
                node.send("coordinator", "s", b"%d" % number)
            assert [came.get(timeout=10) for _ in range(50)] == [("alice", "s", b"%d" % n) for n in range(50)]
            office.put(f"{ROOT}/ab/over", b"")  # comes after whatever the spy may hear
            assert str(overheard.recv().key_expr) == f"{ROOT}/ab/over"
            node.stop()
        here.stop()


def spying(address: Address) -> zenoh.Config:
    config = zenoh.Config()
    config.insert_json5("mode", '"client"')
    config.insert_json5("connect/endpoints", f'["{address.endpoint(False)}"]')
    config.insert_json5("scouting/multicast/enabled", "false")
    return config
