"""Keys and the roster: made once, added to, and believed only when whole."""

from __future__ import annotations

import os
import shutil
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast import InputError
from holdfast.runtimes.network.identity import (
    COORDINATOR,
    ROSTER,
    Entry,
    Identity,
    Roster,
    make_keys,
    parse_rows,
    show_rows,
    verify,
)

ALICE, BOB, BOSS = "a1" * 32, "b2" * 32, "c3" * 32


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def made(tmp_path):
    make_keys(tmp_path / "keys", ["alice", "bob"])
    return tmp_path / "keys"


# ---------------------------------------------------------------------------------------------- making and loading keys


def test_every_member_is_loaded_as_the_roster_says(made):
    roster = Roster.load(made / ROSTER)
    assert list(roster.nodes) == ["alice", "bob"]
    coordinator = Identity.load(made / COORDINATOR)
    assert (coordinator.name, coordinator.public, coordinator.coordinator) == (COORDINATOR, roster.coordinator, None)
    for name, entry in roster.nodes.items():
        node = Identity.load(made / name)
        assert (node.name, node.public, node.coordinator) == (name, entry.key, roster.coordinator)


def test_a_member_needs_no_more_than_its_own_folder(made, tmp_path, monkeypatch):
    shutil.move(made / "alice", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    node = Identity.load("elsewhere")
    monkeypatch.chdir("/")
    assert node.name == "alice"
    assert all(os.path.exists(path) for path in node.tls().values() if isinstance(path, str))


def test_a_representation_keeps_the_key_secret(made):
    assert "Ed25519" not in repr(Identity.load(made / "alice"))


def test_private_keys_are_never_open_to_others(tmp_path, monkeypatch):
    opened = {}

    def watched(path, flags, mode=0o777, **rest):
        handle = real(path, flags, mode, **rest)
        opened[os.path.basename(path)] = (stat.S_IMODE(os.fstat(handle).st_mode), bool(flags & os.O_EXCL))
        return handle

    real = os.open
    monkeypatch.setattr(os, "open", watched)
    before = os.umask(0)
    try:
        make_keys(tmp_path, ["alice"])
    finally:
        os.umask(before)
    assert opened["ca.key"] == opened["key.pem"] == (0o600, True)
    for path in [tmp_path / "ca.key", *tmp_path.glob("*/key.pem")]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_call_adds_and_keeps_everything_else(made):
    before = content(made)
    roster = make_keys(made, ["carol"], rows={"carol": "7-9"})
    after = content(made)
    assert roster == Roster.load(made / ROSTER)
    assert list(roster.nodes) == ["alice", "bob", "carol"]
    assert roster.rows_of("carol") == (7, 8, 9)
    assert {name: after[name] for name in before if name != ROSTER} == {k: v for k, v in before.items() if k != ROSTER}
    assert Identity.load(made / "carol").coordinator == Identity.load(made / COORDINATOR).public


WRONG_REQUESTS = {
    "a node that exists": ({"nodes": ["carol", "alice"]}, ["'alice'", "remove its folder"]),
    "a node twice": ({"nodes": ["carol", "carol"]}, ["'carol'"]),
    "the coordinator's name": ({"nodes": [COORDINATOR]}, ["'coordinator'", "reserved"]),
    "the folder above": ({"nodes": [".."]}, ["'..'"]),
    "a name with a path": ({"nodes": ["a/b"]}, ["'a/b'"]),
    "a name that ends its line": ({"nodes": ["carol\n"]}, ["carol"]),
    "the name of another file": ({"nodes": ["ca.key"]}, ["'ca.key'"]),
    "rows of nobody": ({"nodes": ["carol"], "rows": {"carl": "1"}}, ["'carl'", "carol"]),
    "rows that are none": ({"nodes": ["carol"], "rows": {"carol": "x"}}, ["nodes.carol.rows", "'x'"]),
    "a port": ({"nodes": ["carol"], "hosts": ["coord.example.org:7447"]}, ["hosts", "7447", "--host"]),
    "a broken address": ({"nodes": ["carol"], "hosts": ["300.1.1.1"]}, ["hosts", "300.1.1.1"]),
    "no days": ({"nodes": ["carol"], "days": 0}, ["days", "0"]),
    "a million years": ({"nodes": ["carol"], "days": 365_000_000}, ["days"]),
}


@pytest.mark.parametrize("mistake", WRONG_REQUESTS)
def test_nothing_is_written_if_anything_is_wrong(made, mistake):
    request, words = WRONG_REQUESTS[mistake]
    before = content(made)
    with pytest.raises(InputError) as told:
        make_keys(made, **request)
    assert all(word in str(told.value) for word in words), told.value
    assert content(made) == before
    assert not (made / "carol").exists()


def test_the_first_call_writes_nothing_either_if_anything_is_wrong(tmp_path):
    with pytest.raises(InputError, match="'a b'"):
        make_keys(tmp_path / "keys", ["alice", "a b"])
    assert not (tmp_path / "keys").exists()


def test_keys_without_their_roster_are_not_replaced(made):
    (made / ROSTER).unlink()
    before = content(made)
    with pytest.raises(InputError, match=r"ca\.key must not be there yet"):
        make_keys(made, ["carol"])
    assert content(made) == before


def test_a_node_is_not_added_without_the_authority(made):
    (made / "ca.key").unlink()
    with pytest.raises(InputError, match=r"ca\.key must be a readable file"):
        make_keys(made, ["carol"])


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "keys").write_text("mine")
    with pytest.raises(InputError, match="be a folder"):
        make_keys(tmp_path / "keys", ["alice"])


def test_a_key_in_memory_has_no_certificates():
    alice = Identity.fresh("alice")
    assert alice.coordinator is None
    with pytest.raises(InputError, match="holdfast keys"):
        alice.tls()


# ----------------------------------------------------------------------------------------------------------- signatures

SIGNER = Identity.fresh("alice")


def test_a_signature_holds_for_one_statement_by_one_key():
    signature = SIGNER.sign(b"statement")
    assert len(signature) == 64
    assert verify(SIGNER.public, b"statement", signature)
    assert not verify(SIGNER.public, b"Statement", signature)
    assert not verify(SIGNER.public, b"statement\0", signature)
    assert not verify(Identity.fresh("alice").public, b"statement", signature)
    assert not any(
        verify(SIGNER.public, b"statement", signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :])
        for at in range(64)
    )


def test_a_signature_for_another_purpose_does_not_count():
    assert not verify(SIGNER.public, b"statement", SIGNER.key.sign(b"statement"))


@pytest.mark.parametrize(
    "public", ["", "zz" * 32, "ab" * 31, "ab" * 33, "ff" * 32, "AB" * 32 + "\n", "٣" * 64, None, b"ab" * 32]
)
def test_what_is_no_key_verifies_nothing(public):
    assert not verify(public, b"statement", SIGNER.sign(b"statement"))


@settings(deadline=None)
@given(public=st.one_of(st.text(), st.binary(min_size=32, max_size=32).map(bytes.hex)), data=st.data())
def test_hostile_bytes_never_raise(public, data):
    signature = data.draw(st.one_of(st.binary(max_size=100), st.binary(min_size=64, max_size=64)))
    assert verify(public, data.draw(st.binary()), signature) in (True, False)
    assert not verify(SIGNER.public, data.draw(st.binary()), signature)


# ----------------------------------------------------------------------------------------------------------- the roster

MISTAKES = {
    "empty": ("", ["map coordinator"]),
    "a list": ("- a", ["map coordinator"]),
    "no YAML": ("a: [", ["map coordinator"]),
    "no text": (b"\xff\xfe\xfa", ["map coordinator"]),
    "no coordinator": ("nodes: {}", ["coordinator"]),
    "unknown field": (f"coordinator: {BOSS}\nnodes: {{}}\nport: 1", ["port"]),
    "unknown field of a node": (f"coordinator: {BOSS}\nnodes: {{alice: {{key: {ALICE}, row: '1'}}}}", ["`row`"]),
    "a key that is short": (f"coordinator: {BOSS}\nnodes: {{alice: {{key: ab}}}}", ["nodes.alice.key", "'ab'", "64"]),
    "a key in capitals": (f"coordinator: {BOSS.upper()}\nnodes: {{}}", ["coordinator", "lower case"]),
    "a key that is no text": (f"coordinator: {BOSS}\nnodes: {{alice: {{key: 1}}}}", ["quotes"]),
    "a name with a slash": (f"coordinator: {BOSS}\nnodes: {{a/b: {{key: {ALICE}}}}}", ["'a/b'", "letters"]),
    "a name too long": (f"coordinator: {BOSS}\nnodes: {{{'a' * 65}: {{key: {ALICE}}}}}", ["64 letters"]),
    "a name that is a number": (f"coordinator: {BOSS}\nnodes: {{7: {{key: {ALICE}}}}}", ["quotes"]),
    "a reserved name": (
        f"coordinator: {BOSS}\nnodes: {{coordinator: {{key: {ALICE}}}}}",
        ["'coordinator'", "reserved"],
    ),
    "a name twice": (f"coordinator: {BOSS}\nnodes:\n  a: {{key: {ALICE}}}\n  a: {{key: {BOB}}}", ["a", "given once"]),
    "a key twice": (
        f"coordinator: {BOSS}\nnodes: {{alice: {{key: {ALICE}}}, bob: {{key: {ALICE}}}}}",
        ["nodes.bob.key", "alice"],
    ),
    "the coordinator's key": (f"coordinator: {BOSS}\nnodes: {{alice: {{key: {BOSS}}}}}", ["nodes.alice.key"]),
    "rows that are none": (
        f"coordinator: {BOSS}\nnodes: {{alice: {{key: {ALICE}, rows: many}}}}",
        ["nodes.alice.rows", "'many'"],
    ),
    "rows that are a number": (f"coordinator: {BOSS}\nnodes: {{alice: {{key: {ALICE}, rows: 7}}}}", ["quotes"]),
    "rows that overlap": (
        f"coordinator: {BOSS}\nnodes: {{alice: {{key: {ALICE}, rows: 0-9}}, bob: {{key: {BOB}, rows: 9-12}}}}",
        ["nodes.bob.rows", "row 9", "alice"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_a_roster_are_told_with_its_name(tmp_path, mistake):
    text, words = MISTAKES[mistake]
    path = tmp_path / ROSTER
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as told:
        Roster.load(path)
    assert told.value.field.startswith(str(path))
    assert all(word in str(told.value).removeprefix(str(path)) for word in words), told.value


def test_a_roster_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="be a readable file"):
        Roster.load(tmp_path / ROSTER)


@settings(deadline=None, max_examples=30)
@given(names=st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), unique=True, max_size=4))
def test_what_is_saved_is_loaded(tmp_path_factory, names):
    nodes = {name: Entry(f"{place:064x}", f"{place}") for place, name in enumerate(names)}
    roster = Roster(BOSS, {name: entry for name, entry in nodes.items() if name != COORDINATOR})
    path = tmp_path_factory.mktemp("roster") / ROSTER
    roster.save(path)
    loaded = Roster.load(path)
    assert loaded == roster
    assert list(loaded.nodes) == list(roster.nodes)


@pytest.mark.parametrize(
    ("stated", "rows"),
    [
        ([None, None, None], [(0,), (1,), (2,)]),
        (["0-2", "5,3", "4"], [(0, 1, 2), (3, 5), (4,)]),
        ([None, "1-2,4", None, None], [(0,), (1, 2, 4), (3,), (5,)]),
        ([None, "0"], [(1,), (0,)]),
    ],
)
def test_rows_of(stated, rows):
    roster = Roster(BOSS, {f"n{place}": Entry(f"{place:064x}", text) for place, text in enumerate(stated)})
    assert [roster.rows_of(name) for name in roster.nodes] == rows


def test_rows_of_nobody():
    with pytest.raises(InputError, match="Did you mean 'alice'"):
        Roster(BOSS, {"alice": Entry(ALICE)}).rows_of("alise")


@given(st.sets(st.integers(0, 200), min_size=1))
def test_rows_are_shown_as_they_are_parsed(rows):
    assert parse_rows(show_rows(rows)) == tuple(sorted(rows))


def test_rows_in_a_readers_order():
    assert parse_rows(" 120, 0-2") == (0, 1, 2, 120)
    assert show_rows([]) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "-1",
        "3-1",
        "1,1",
        "0-5,5",
        "1-2-3",
        "1,,2",
        "0-10000000",
        "0-999999999999",
        "1" * 9999,
        "٣",
        "1\n2",
        "1 2",
    ],
)
def test_what_is_no_rows(text):
    with pytest.raises(InputError) as told:
        parse_rows(text)
    assert told.value.field == "rows"
