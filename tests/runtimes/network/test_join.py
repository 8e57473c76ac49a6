"""Who cannot join, or cannot coordinate, reads one paragraph that says what to do."""

from __future__ import annotations

import json
import socket
import sys
import time
from types import SimpleNamespace

import pytest

from holdfast import Experiment
from holdfast.cli import WRONG_INPUT, main
from holdfast.runtimes.network import member
from holdfast.runtimes.network.identity import COORDINATOR, Entry, Identity, Roster, make_keys
from holdfast.runtimes.network.member import Membership
from holdfast.runtimes.network.office import Office
from holdfast.runtimes.network.post import Address

FIELDS = {
    "name": "tiny",
    "problem": {"name": "digits", "model": "logistic"},
    "nodes": 4,
    "rounds": 1,
    "algorithm": "fedavg",
    "engine": "sequential",
}


@pytest.fixture
def refused(capsys):
    """Runs a command that must fail, and hands back the one paragraph that it says."""

    def run(*arguments):
        assert main(list(map(str, arguments))) == WRONG_INPUT
        (paragraph,) = capsys.readouterr().err.strip().splitlines()
        return paragraph

    return run


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys") / "ours"
    make_keys(folder, ["alice", "bob"], rows={"alice": "0-1"})
    return folder


def opened(identity=None, roster=None):
    made = Office(Experiment(**FIELDS), Address("127.0.0.1", 0), identity, roster)
    yield made
    made.close()


@pytest.fixture
def office():
    yield from opened()


@pytest.fixture
def secured(keys):
    yield from opened(Identity.load(keys / COORDINATOR))


@pytest.fixture
def alice(office):
    """A node that runs already."""
    membership = Membership(office.address, Identity.fresh("alice"), "0-1")
    membership.join()
    office.variant = "main"
    while not office.crew.members["alice"].alive:
        assert office.next(10.0) is not None
    yield membership
    membership.close()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(json.dumps(FIELDS))
    return path


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


# ------------------------------------------------------------------------------------------ the address


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:port", ":7447", "127.0.0.1:70000", "a/b:1"])
def test_an_address_of_the_wrong_form(refused, address):
    told = refused("join", address, "--node", "alice")
    assert "address must look like HOST:PORT" in told
    assert address in told


def test_a_host_that_does_not_exist(refused, keys):
    told = refused("join", "nowhere.invalid:7447", "--keys", keys / "alice")
    assert "address must name a host that exists" in told
    assert "nowhere.invalid:7447" in told


def test_nobody_is_there(refused):
    port = free_port()
    told = refused("join", f"127.0.0.1:{port}", "--node", "alice", "--patience", "0.5")
    assert "address must be that of a running coordinator" in told
    assert f"127.0.0.1:{port}" in told
    assert "`holdfast coordinate` runs there" in told


def test_a_port_in_use(refused, office, file, tmp_path):
    told = refused("coordinate", file, "--address", office.address, "--out", tmp_path / "run")
    assert "address must be one at which this process can listen" in told
    assert "in use" in told
    assert str(office.address) in told
    assert not (tmp_path / "run").exists()


def test_beyond_loopback_there_must_be_keys(refused, file, tmp_path):
    told = refused("coordinate", file, "--address", "0.0.0.0:0", "--out", tmp_path / "run")
    assert "--keys must be given beyond loopback" in told
    assert "holdfast keys" in told
    told = refused("join", "192.0.2.1:7447", "--node", "alice")
    assert "--keys must be given beyond loopback" in told
    assert "holdfast keys" in told


# ------------------------------------------------------------------------------------------ names and keys


def test_a_node_needs_a_name(refused, office):
    assert "--node must be given" in refused("join", office.address)


def test_a_name_that_differs_from_that_of_the_keys(refused, secured, keys):
    told = refused("join", secured.address, "--node", "bob", "--keys", keys / "alice")
    assert "--node must be the name of its keys, alice" in told


def test_keys_that_are_not_there(refused, secured, tmp_path):
    told = refused("join", secured.address, "--keys", tmp_path / "alice")
    assert str(tmp_path / "alice") in told
    assert "holdfast keys" in told


def test_keys_of_another_authority(refused, secured, tmp_path):
    make_keys(tmp_path / "theirs", ["alice"])
    told = refused("join", secured.address, "--keys", tmp_path / "theirs" / "alice")
    assert f"--keys must fit the coordinator at {secured.address}" in told
    assert "TLS says" in told


def test_a_node_without_keys_at_a_coordinator_with_keys(refused, secured):
    told = refused("join", secured.address, "--node", "alice", "--patience", "0.5")
    assert "address must be that of a running coordinator" in told
    assert "--keys" in told


def test_a_name_that_is_taken(refused, office, alice, monkeypatch):
    monkeypatch.setattr(member, "GHOST", 0.0)
    told = refused("join", office.address, "--node", "alice")
    assert "--node must be a name that no running process has" in told
    assert office.crew.members["alice"].instance == alice.instance


def test_a_node_that_is_not_in_the_roster(refused):
    bob, own = Identity.fresh("bob"), Identity.fresh(COORDINATOR)
    for office in opened(own, Roster(own.public, {"bob": Entry(bob.public)})):
        told = refused("join", office.address, "--node", "alice")
        assert "--node must be in the roster" in told
        assert "alice" in told
        assert "the key that the roster has for bob" in refused("join", office.address, "--node", "bob")


# ------------------------------------------------------------------------------------------ rows, clocks, versions


def test_rows_that_do_not_exist(refused, office):
    told = refused("join", office.address, "--node", "bob", "--rows", "2-4")
    assert "--rows must name nodes in 0..3" in told


def test_rows_of_the_wrong_form(refused, office):
    assert "rows must" in refused("join", office.address, "--node", "bob", "--rows", "some")


def test_rows_that_another_has(refused, office, alice):
    told = refused("join", office.address, "--node", "bob", "--rows", "1-2")
    assert "--rows must be rows that no other process hosts" in told
    assert "'1'" in told


def test_rows_that_the_roster_gives_to_others(refused, secured, keys):
    told = refused("join", secured.address, "--keys", keys / "alice", "--rows", "0-2")
    assert "--rows must be among those of alice in the roster" in told


def test_another_protocol(refused, office, monkeypatch):
    monkeypatch.setattr(member, "PROTOCOL", 99)
    told = refused("join", office.address, "--node", "alice")
    assert "holdfast must speak the same protocol on both sides" in told
    assert "Install the same version" in told


@pytest.mark.parametrize(("ahead", "words"), [(120, "120 s ahead"), (-90, "90 s behind")])
def test_a_clock_far_off(refused, office, monkeypatch, ahead, words):
    clock = SimpleNamespace(time=lambda: time.time() + ahead, monotonic=time.monotonic)
    monkeypatch.setattr(member, "time", clock)
    told = refused("join", office.address, "--node", "alice")
    assert "clock must agree with the coordinator's" in told
    assert words in told


# ------------------------------------------------------------------------------------------ the experiment


def test_another_experiment(refused, office, file):
    told = refused("join", office.address, "--node", "alice", "--experiment", file, "--set", "rounds=2")
    assert "--experiment must be the coordinator's experiment" in told


def test_a_class_that_the_node_did_not_bring(refused, office, tmp_path, monkeypatch):
    (tmp_path / "smuggled.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    office.text = json.dumps({**FIELDS, "problem": {"name": "smuggled:Problem"}})
    told = refused("join", office.address, "--node", "alice")
    assert "experiment must name only classes that come with Holdfast" in told
    assert "'smuggled:Problem'" in told
    assert "--experiment FILE" in told
    assert "smuggled" not in sys.modules


def test_a_state_folder_that_takes_no_file(refused, office, file):
    told = refused("join", office.address, "--node", "alice", "--state", file / "state")
    assert "--state must be a folder that can be written to" in told


# ------------------------------------------------------------------------------------------ a false coordinator


def test_a_node_believes_no_coordinator_but_its_own(secured, keys, refused, tmp_path, monkeypatch):
    secured.identity = Identity.fresh(COORDINATOR)  # it has a certificate of the authority, but not the right key
    monkeypatch.setattr(member, "ANSWER", 0.2)
    told = refused("join", secured.address, "--keys", keys / "alice", "--patience", "0.5")
    assert "address must be that of a running coordinator" in told
