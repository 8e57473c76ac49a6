"""A coordinator with keys and a roster: over TLS, with nodes that are enrolled while it runs."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast import Experiment, InputError
from holdfast.launch.coordinate import Site, coordinate, go_on
from holdfast.launch.join import NodeSettings, join
from holdfast.runtimes.network.identity import COORDINATOR, make_keys

from .test_local import TINY


@pytest.fixture(autouse=True)
def without_plots(monkeypatch):
    monkeypatch.setattr(sys.modules["holdfast.run"], "write_report", lambda directory: directory)


def test_over_tls_with_a_node_enrolled_meanwhile(tmp_path):
    keys = tmp_path / "keys"
    make_keys(keys, ["alice"], rows={"alice": "0-1"})
    nodes = []

    def opened(address, directory):
        nodes.append(pool.submit(join, str(address), NodeSettings("", keys=keys / "alice")))
        make_keys(keys, ["bob"], rows={"bob": "2-3"})
        nodes.append(pool.submit(join, str(address), NodeSettings("", keys=keys / "bob")))

    with ThreadPoolExecutor(2) as pool:
        site = Site("127.0.0.1:0", keys=keys / COORDINATOR, opened=opened)
        result = coordinate(Experiment(**TINY), site, out=tmp_path / "run")
        assert [node.result(30) for node in nodes] == ["done", "done"]
    assert result.summary["variants"]["main"]["status"] == "done"


def test_peers_over_tls(tmp_path):
    make_keys(tmp_path / "keys", ["alice", "bob"], rows={"alice": "0-1", "bob": "2-3"})
    nodes = []

    def opened(address, directory):
        for name in ("alice", "bob"):
            nodes.append(pool.submit(join, str(address), NodeSettings("", keys=tmp_path / "keys" / name)))

    with ThreadPoolExecutor(2) as pool:
        site = Site("127.0.0.1:0", keys=tmp_path / "keys" / COORDINATOR, opened=opened)
        experiment = Experiment(**{**TINY, "algorithm": "dsgd", "topology": "complete"})
        coordinate(experiment, site, out=tmp_path / "run")
        assert [node.result(30) for node in nodes] == ["done", "done"]


def test_there_must_be_something_to_go_on_with(tmp_path):
    with pytest.raises(InputError, match="hold a checkpoint"):
        go_on(tmp_path, Site("127.0.0.1:0"))


def test_a_node_is_told_that_the_run_failed(tmp_path, monkeypatch):
    made, node = [], []

    def office(site, experiment):
        made.append(open_office(site, experiment))
        return made[0]

    def broken(*_, **__):
        node.append(pool.submit(join, str(made[0].address), NodeSettings("alice")))
        while "alice" not in made[0].crew.members or not made[0].crew.members["alice"].alive:
            made[0].next(0.05)
        raise RuntimeError("broken")

    open_office = Site.office
    monkeypatch.setattr(Site, "office", office)
    monkeypatch.setattr("holdfast.launch.coordinate.run", broken)
    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(RuntimeError, match="broken"):
            coordinate(Experiment(**TINY), Site("127.0.0.1:0"), out=tmp_path / "run")
        assert node[0].result(30) == "the coordinator failed"
