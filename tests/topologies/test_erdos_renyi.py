import itertools

import networkx as nx
import pytest

from holdfast.errors import InputError
from holdfast.seeding import uniform
from holdfast.topologies import ErdosRenyi


def plain(nodes, p, seed):
    """Pair by pair, attempt by attempt."""
    connected, attempt = False, -1
    while not connected:
        attempt += 1
        graph = nx.empty_graph(nodes)
        for i, j in itertools.combinations(range(nodes), 2):
            if uniform(seed, "topology.erdos_renyi", attempt, i, j) < p:
                graph.add_edge(i, j)
        connected = nx.is_connected(graph)
    return graph, attempt


def test_against_pairs_drawn_one_by_one():
    attempts = []
    for seed in range(8):
        expected, attempt = plain(8, 0.3, seed)
        assert nx.utils.graphs_equal(ErdosRenyi(p=0.3).graph(0, 8, seed), expected)
        attempts.append(attempt)
    assert max(attempts) > 0  # so drawing anew was put to the test


def test_about_p_of_the_pairs_are_linked():
    linked = ErdosRenyi(p=0.3).graph(0, 100, 1).number_of_edges()
    assert abs(linked - 0.3 * 4950) < 4 * (4950 * 0.3 * 0.7) ** 0.5


def test_another_seed_gives_another_graph():
    one, other = (ErdosRenyi().graph(0, 20, seed) for seed in (1, 2))
    assert set(one.edges) != set(other.edges)


def test_p_of_1_links_every_pair():
    assert ErdosRenyi(p=1).graph(0, 6, 0).number_of_edges() == 15


def test_giving_up_names_p_the_nodes_and_the_attempts():
    with pytest.raises(InputError, match=r"p 0.001 over 50 nodes, 3 attempts"):
        ErdosRenyi(p=0.001, attempts=3).graph(0, 50, 1)


@pytest.mark.parametrize("wrong", [{"p": 0}, {"p": 1.1}, {"attempts": 0}])
def test_hyperparameters_out_of_bounds_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        ErdosRenyi(**wrong)
