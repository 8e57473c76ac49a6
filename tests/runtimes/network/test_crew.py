"""Who asks to join is let in, or told what to mend."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from holdfast import InputError
from holdfast.runtimes.network.crew import CLOCK, HELD, STRANGERS, Crew
from holdfast.runtimes.network.identity import COORDINATOR, Entry, Roster
from holdfast.runtimes.network.seal import fresh_secret, public_half
from holdfast.runtimes.network.wire import PROTOCOL, Beat, Hello

ALICE, BOB, BOSS = "a1" * 32, "b2" * 32, "c3" * 32
SECRET = public_half(fresh_secret())
NOW = 1000.0


def hello(name="alice", **fields):
    about = {"key": {"alice": ALICE, "bob": BOB}.get(name, "d4" * 32), "instance": "1", "secret": SECRET}
    return Hello(**{"run": "1", "sender": name, "protocol": PROTOCOL, "version": "0", "clock": NOW, **about, **fields})


def crew(roster=None, **fields):
    return Crew(**{"nodes": 4, "experiment": "e" * 64, "own": BOSS, "roster": roster, "clock": lambda: NOW, **fields})


def listed(**rows):
    return Roster(BOSS, {name: Entry({"alice": ALICE, "bob": BOB}[name], text) for name, text in rows.items()})


@pytest.mark.parametrize(
    ("said", "field", "remedy"),
    [
        ({"protocol": PROTOCOL + 1}, "holdfast", "same version"),
        ({"clock": NOW + CLOCK + 1}, "clock", "NTP"),
        ({"clock": NOW - CLOCK - 1}, "clock", "NTP"),
        ({"clock": math.nan}, "clock", "NTP"),
        ({"clock": math.inf}, "clock", "NTP"),
        ({"experiment": "f" * 64}, "--experiment", "--set"),
        ({"name": "coordinator"}, "--node", "coordinator's"),
        ({"name": "carol"}, "--node", "holdfast keys"),
        ({"key": BOB}, "--keys", "folder of keys"),
        ({"secret": "00" * 32}, "secret", "Start the node again"),
        ({"rows": "0,2"}, "--rows", "Change one"),
        ({"rows": "4"}, "--rows", "free"),
        ({"rows": "0-9999999"}, "--rows", "free"),
        ({"rows": "0" * 9000}, "--rows", "free"),
        ({"rows": "x"}, "rows", "Write rows"),
    ],
)
def test_refusals(said, field, remedy):
    team = crew(listed(alice="0-1", bob="2"))
    with pytest.raises(InputError) as error:
        team.admit(hello(**said))
    assert error.value.field == field
    assert remedy in error.value.remedy
    assert team.members == {}


@pytest.mark.parametrize(("rows", "remedy"), [("1", "Choose others"), ("4", "free"), ("0-9999999", "free")])
def test_refused_rows_without_a_roster(rows, remedy):
    team = crew()
    team.admit(hello(rows="0-1")).alive = True
    with pytest.raises(InputError, match=remedy) as error:
        team.admit(hello("bob", rows=rows))
    assert error.value.field == "--rows"


def test_a_name_that_a_running_process_has():
    for roster in (None, listed(alice="0")):
        team = crew(roster)
        team.admit(hello()).alive = True
        with pytest.raises(InputError) as error:
            team.admit(hello(instance="2"))
        assert error.value.field == "--node"
        assert "stop the process" in error.value.remedy
    team = crew()
    team.admit(hello()).alive = True
    with pytest.raises(InputError, match="Choose another"):
        team.admit(hello(key=BOB))


def test_rows_of_the_roster():
    team = crew(listed(alice="2-3", bob=None))
    assert team.admit(hello()).rows_K.tolist() == [2, 3]
    assert team.admit(hello("bob")).rows_K.tolist() == [0]
    assert crew(listed(alice="2-3")).admit(hello(rows="3")).rows_K.tolist() == [3]


def test_free_rows_without_a_roster_are_given_once_also_before_a_node_is_seen():
    team = crew()
    given = [team.admit(hello(name)).rows_K.tolist() for name in ("alice", "bob", "carol", "dora")]
    assert given == [[0], [1], [2], [3]]
    with pytest.raises(InputError, match="all of 0-3 taken"):
        team.admit(hello("emil"))


def test_rows_of_one_that_never_came_are_free_after_a_while():
    now = [NOW]
    team = crew(clock=lambda: now[0])
    team.admit(hello(rows="0-3"))
    now[0] += HELD + 1
    bob = team.admit(hello("bob"))
    bob.alive = True
    assert bob.rows_K.tolist() == [0]
    assert list(team.peers()) == ["bob"]  # the rows of alice are not said to be at two places
    assert team.admit(hello(instance="2", rows=None)).rows_K.tolist() == [1]


def test_names_without_a_roster_are_bounded():
    now = [NOW]
    team = crew(nodes=1, clock=lambda: now[0])
    for n in range(STRANGERS + 1):
        now[0] += HELD + 1
        team.admit(hello(f"n{n}", clock=now[0]))
    with pytest.raises(InputError, match="room"):
        team.admit(hello("one-more", clock=now[0]))
    assert len(team.members) == STRANGERS + 1


def test_a_node_that_returns_has_its_rows_and_its_record():
    team = crew()
    before = team.admit(hello(rows="1-2"))
    before.alive, before.ready = True, "r"
    before.suspension.failed(3)
    before.alive, before.ready = False, ""
    after = team.admit(hello(instance="2"))
    assert after is before
    assert (after.instance, after.rows_K.tolist(), after.suspension.failures) == ("2", [1, 2], 1)
    assert team.present("r") == []
    after.alive, after.ready = True, "r"
    assert team.rows_present("r").tolist() == [1, 2]


def test_a_hello_that_is_repeated_changes_nothing():
    team = crew(listed(alice="0"))
    member = team.admit(hello())
    member.alive, member.ready = True, "r"
    progress = member.progress
    assert team.admit(hello()) is member
    assert (member.ready, member.alive) == ("r", True)
    assert member.progress is progress


def test_a_node_enrolled_later_is_found(tmp_path):
    file = tmp_path / "roster.yaml"
    listed(alice="0").save(file)
    team = crew(Roster.load(file), roster_file=file)
    with pytest.raises(InputError, match="roster"):
        team.admit(hello("bob"))
    listed(alice="0", bob="1").save(file)
    assert team.admit(hello("bob")).rows_K.tolist() == [1]


def test_nobody_speaks_for_another(monkeypatch):
    monkeypatch.setattr("holdfast.runtimes.network.crew.verify", lambda key, body, signature: key.encode() == signature)
    team = crew(listed(alice="0", bob="1"))
    team.admit(hello())
    beat = Beat(run="1", sender="alice", instance="1", count=1)
    assert team.verify(beat, b"", ALICE.encode())
    assert not team.verify(beat, b"", BOB.encode())
    assert team.verify(replace(beat, sender=COORDINATOR), b"", BOSS.encode())
    assert not team.verify(replace(beat, sender=COORDINATOR), b"", ALICE.encode())
    assert not team.verify(replace(beat, sender="bob"), b"", BOB.encode())  # enrolled, and not let in yet
