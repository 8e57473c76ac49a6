from __future__ import annotations

from typing import ClassVar

import networkx as nx
import numpy as np
import pytest

from holdfast.aggregators import Median
from holdfast.algorithms import PeerAlgorithm
from holdfast.algorithms.decentralised.dsgd import DSGD
from holdfast.algorithms.decentralised.gossip import Gossip
from holdfast.catalogue import build
from holdfast.errors import InputError
from holdfast.graphs import PICTURED_NODES, PICTURED_ROUNDS, SPECTRUM_UP_TO, check_graph, pictured, spectrum
from holdfast.topologies import Complete, Cycle, Exponential, OnePeerExponential, RandomMatching, Star, Topology


class Meeting(Topology):
    """Three nodes, of which 0 and 1 are always linked, and 2 comes by in one round."""

    changes: ClassVar[bool] = True
    comes: int = 150

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        graph = nx.empty_graph(3)
        graph.add_edges_from([(0, 1)] + [(1, 2)] * (round == self.comes))
        return graph


class OneWay(Topology):
    """A path that leads one way."""

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        return nx.path_graph(nodes, create_using=nx.DiGraph)


def refused(
    topology: Topology, rule: Median | None = None, nodes: int = 8, rounds: int = 10, algorithm: str = "dsgd"
) -> str:
    with pytest.raises(InputError) as caught:
        check_graph(topology, build(PeerAlgorithm, algorithm), rule, nodes, 1, rounds)
    return str(caught.value)


@pytest.mark.parametrize("topology", [Cycle(), Exponential(), OnePeerExponential(), RandomMatching(), Star()])
def test_graphs_that_connect_sooner_or_later_are_let_through(topology: Topology) -> None:
    check_graph(topology, DSGD(), None, 16, seed=1, rounds=1)


def test_who_is_never_heard_of_is_a_mistake() -> None:
    assert "be connected, but" in refused(OneWay())


@pytest.mark.parametrize(("rounds", "meets"), [(1, False), (149, True), (150, True), (100, False)])
def test_of_a_graph_that_changes_all_rounds_count_and_a_hundred_at_least(rounds: int, meets: bool) -> None:
    # Rounds are looked at in powers of 2, so that 149 rounds take 256 in.
    if meets:
        check_graph(Meeting(), DSGD(), None, 3, seed=1, rounds=rounds)
    else:
        assert "be connected, over all rounds" in refused(Meeting(), nodes=3, rounds=rounds)
    check_graph(Meeting(comes=64), DSGD(), None, 3, seed=1, rounds=1)


def test_a_neighbourhood_is_whom_a_node_hears() -> None:
    tree = nx.DiGraph([(0, 1), (1, 0), (2, 0), (0, 2), (1, 2)])  # 0 hears 1 and 2; 1 hears 0 alone

    class Fixed(Topology):
        def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
            return tree

    assert "node 1 hears 1 with dsgd" in refused(Fixed(), Median(f=1), nodes=3)


def test_an_algorithm_that_uses_fewer_links_has_smaller_neighbourhoods() -> None:
    check_graph(Complete(), DSGD(), Median(f=1), 9, seed=1, rounds=1)
    assert "hears 1 with gossip" in refused(Complete(), Median(f=1), nodes=9, algorithm="gossip")
    check_graph(Complete(), Gossip(), Median(f=0), 9, seed=1, rounds=1)  # one of them finds no partner


@pytest.mark.parametrize("algorithm", ["dinno", "dinno_edges", "prox_pda", "gossip", "extra", "nids"])
def test_some_algorithms_need_links_that_lead_both_ways(algorithm: str) -> None:
    assert f"have links that lead both ways for {algorithm}" in refused(Exponential(), algorithm=algorithm)
    check_graph(Cycle(), build(PeerAlgorithm, algorithm), None, 8, seed=1, rounds=1)


@pytest.mark.parametrize("algorithm", ["extra", "nids"])
def test_some_need_weights_that_are_equal_at_both_ends(algorithm: str) -> None:
    uneven = Star(weighting="uniform")
    assert "topology.weighting must weigh a link alike" in refused(uneven, algorithm=algorithm)
    check_graph(uneven, build(PeerAlgorithm, "dinno"), None, 8, seed=1, rounds=1)
    check_graph(Star(), build(PeerAlgorithm, algorithm), None, 8, seed=1, rounds=1)


@pytest.mark.parametrize("algorithm", ["choco", "extra", "nids"])
def test_some_need_a_graph_that_stays(algorithm: str) -> None:
    assert f"stay the same in all rounds for {algorithm}" in refused(RandomMatching(), algorithm=algorithm)


def test_every_round_of_a_graph_that_changes_is_looked_at() -> None:
    """Of four nodes the hop of round 1 is half way around, and leads both ways; that of round 2 does not."""
    assert "lead both ways for dinno" in refused(OnePeerExponential(), nodes=4, algorithm="dinno")


def test_the_spectrum_by_hand_and_of_no_giant() -> None:
    cycle = Cycle().graph(1, 4, 1)
    found = spectrum(cycle, Cycle().weights(cycle))
    assert found == {"spectral_gap": pytest.approx(2 / 3), "algebraic_connectivity": pytest.approx(2)}
    giant = nx.empty_graph(SPECTRUM_UP_TO + 1)
    assert spectrum(giant, Cycle().weights(cycle)) == {}


def test_of_a_static_graph_one_picture_is_kept_with_its_spectrum() -> None:
    found = pictured(Complete(), 4, seed=1, rounds=500)
    [frame] = found.pop("frames")
    assert (frame["round"], len(frame["edges"]), np.shape(frame["places"])) == (1, 6, (4, 2))
    assert found == {
        "topology": "complete",
        "nodes": 4,
        "directed": False,
        "changes": False,
        "spectral_gap": pytest.approx(1),
        "algebraic_connectivity": pytest.approx(4),
    }


def test_of_a_graph_that_changes_some_rounds_are_kept_from_the_first_to_the_last() -> None:
    found = pictured(OnePeerExponential(), 8, seed=1, rounds=500)
    rounds = [frame["round"] for frame in found["frames"]]
    assert (rounds[0], rounds[-1], len(rounds)) == (1, 500, PICTURED_ROUNDS)
    assert found["directed"]
    assert "spectral_gap" not in found
    assert len({str(frame["places"]) for frame in found["frames"]}) == 1  # who has no place of its own stays put
    for frame in found["frames"]:
        expected = OnePeerExponential().graph(frame["round"], 8, 1).edges
        assert sorted(map(tuple, frame["edges"])) == sorted(expected)
    assert [frame["round"] for frame in pictured(OnePeerExponential(), 8, 1, rounds=3)["frames"]] == [1, 2, 3]


def test_of_too_many_nodes_no_picture_is_kept() -> None:
    assert pictured(Cycle(), PICTURED_NODES + 1, seed=1, rounds=5)["frames"] == []
