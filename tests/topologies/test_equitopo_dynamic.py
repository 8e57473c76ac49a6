import numpy as np
import pytest

from holdfast.seeding import uniform
from holdfast.topologies import Equitopo, EquitopoDynamic


def drawn(nodes, round, seed):
    """The hop of a round and the node to start from."""
    hops = Equitopo().hops(nodes, seed)
    which, start = (uniform(seed, "topology.equitopo_dynamic", round, i) for i in (0, 1))
    return int(hops[int(which * len(hops))]), int(start * nodes)


@pytest.mark.parametrize("nodes", [2, 5, 12])
@pytest.mark.parametrize("round", range(1, 6))
def test_directed_everybody_sends_one_of_the_hops_further(nodes, round):
    hop, _ = drawn(nodes, round, 3)
    A = np.eye(nodes) / nodes + np.roll(np.eye(nodes), hop, axis=0) * (nodes - 1) / nodes
    topology = EquitopoDynamic(eta=0.3)
    W = topology.weights(topology.graph(round, nodes, 3)).toarray()
    np.testing.assert_allclose(W, 0.7 * np.eye(nodes) + 0.3 * A)


@pytest.mark.parametrize("nodes", [2, 5, 12])
@pytest.mark.parametrize("round", range(1, 6))
def test_undirected_those_still_free_are_paired_from_a_random_node_on(nodes, round):
    hop, start = drawn(nodes, round, 3)
    P, busy = np.eye(nodes), set()
    for step in range(nodes):
        i, j = (start + step) % nodes, (start + step + hop) % nodes
        if not busy & {i, j}:
            busy |= {i, j}
            P[[i, j]] = P[[j, i]]
    topology = EquitopoDynamic(directed=False, eta=0.3)
    W = topology.weights(topology.graph(round, nodes, 3)).toarray()
    np.testing.assert_allclose(W, 0.7 * np.eye(nodes) + 0.3 * (np.eye(nodes) + (nodes - 1) * P) / nodes)


@pytest.mark.parametrize("directed", [True, False])
def test_a_single_node_has_no_links(directed):
    assert list(EquitopoDynamic(directed=directed).graph(1, 1, 0).edges) == []


@pytest.mark.parametrize("directed", [True, False])
def test_nodes_come_to_the_mean(directed):
    topology, x = EquitopoDynamic(directed=directed), np.eye(10)
    for round in range(1, 200):
        x = topology.weights(topology.graph(round, 10, 0)) @ x
    np.testing.assert_allclose(x, 0.1)
