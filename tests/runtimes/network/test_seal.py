"""A sealed chunk opens in its own place, with its own key, and nowhere else."""

from __future__ import annotations

import pytest

from holdfast.runtimes.network.seal import Seal, _nonce, agree, fresh_secret, public_half
from holdfast.runtimes.network.wire import MessageError

SEAL = Seal(b"k" * 32)
CLOSED = SEAL.close("update", 3, 7, b"content")


def test_it_opens_where_it_belongs():
    assert SEAL.open("update", 3, 7, CLOSED) == b"content"
    assert len(CLOSED) == len(b"content") + 16


@pytest.mark.parametrize("place", [("aaaa", 3, 7), ("update", 4, 7), ("update", 3, 8), ("update", 7, 3)])
def test_it_opens_nowhere_else(place):
    with pytest.raises(MessageError, match="wrong chunk"):
        SEAL.open(*place, CLOSED)


@pytest.mark.parametrize("n", range(len(CLOSED)))
def test_no_byte_can_be_changed(n):
    with pytest.raises(MessageError):
        SEAL.open("update", 3, 7, CLOSED[:n] + bytes([CLOSED[n] ^ 1]) + CLOSED[n + 1 :])


@pytest.mark.parametrize("content", [b"", b"short", CLOSED[:-1], CLOSED + b"x"])
def test_no_byte_can_be_cut_or_added(content):
    with pytest.raises(MessageError):
        SEAL.open("update", 3, 7, content)


def test_each_run_node_and_pair_has_its_own_key():
    a, b, c = fresh_secret(), fresh_secret(), fresh_secret()
    seals = [
        agree(a, public_half(b), "0-1", "alice"),
        agree(a, public_half(b), "0-2", "alice"),
        agree(a, public_half(b), "0-1", "bob"),
        agree(a, public_half(c), "0-1", "alice"),
    ]
    assert len({seal.key for seal in seals}) == 4
    assert agree(b, public_half(a), "0-1", "alice") == seals[0]
    with pytest.raises(MessageError):
        seals[1].open("update", 1, 0, seals[0].close("update", 1, 0, b"x"))


def test_no_nonce_serves_twice():
    phases = ("broadcast", "update", "aaaa", "aaab")  # those that are sealed
    numbers = (0, 1, 2, 255, 256, 2**31, 2**32 - 1)
    places = [(phase, round, index) for phase in phases for round in numbers for index in numbers]
    assert len({_nonce(*place) for place in places}) == len(places)


@pytest.mark.parametrize("half", ["", "zz", "00" * 31, "00" * 32, "01" + "00" * 31])
def test_what_is_no_half_of_a_key(half):
    with pytest.raises(MessageError, match="no key"):
        agree(fresh_secret(), half, "0", "alice")


def test_the_key_is_not_shown():
    assert "kkk" not in repr(SEAL)
