from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from holdfast.algorithms.decentralised.gossip import Gossip

from ..contract import PROPERTY
from ..tiny import line, notes, play, simulation
from .peers import EVERYONE, FIELDS, W, gradients, starts


def pairs(W_NN: np.ndarray, round: int = 1, seed: int = 1) -> np.ndarray:
    return np.asarray(Gossip().links(sparse.csr_array(W_NN), round, seed).toarray())


@PROPERTY
@given(size=st.integers(1, 12), density=st.sampled_from([0.1, 0.3, 1.0]), seed=st.integers(0, 99))
def test_pairs_along_links_as_many_as_find_each_other(size: int, density: float, seed: int) -> None:
    linked = nx.to_numpy_array(nx.gnp_random_graph(size, density, seed)) > 0
    found = pairs(linked * 0.01 + np.eye(size), seed=seed)
    assert (found == found.T).all()
    assert (found.sum(0) == 1).all()
    free = found.diagonal() == 1
    assert set(np.unique(found[~free])) <= {0.0, 0.5}
    assert not (found * ~np.eye(size, dtype=bool))[~linked].any()
    assert not linked[np.ix_(free, free)].any(), "two who are free are linked"


def test_other_pairs_in_every_round_and_each_link_now_and_then() -> None:
    cycle = nx.to_numpy_array(nx.cycle_graph(6))
    mean = np.mean([pairs(cycle, round) for round in range(300)], axis=0)
    assert (mean[cycle > 0] > 0.1).all()
    np.testing.assert_allclose(mean[cycle > 0], mean[0, 1], atol=0.06)


def test_pairs_average_and_the_others_step_alone() -> None:
    alpha, x = 0.2, starts()
    sim = simulation(algorithm=Gossip(lr=alpha, batch_size=None), seed=4, **FIELDS)
    found = play(sim, 6)
    alone = 0
    for round in range(1, 7):
        P, g = pairs(W, round, seed=4), gradients(x)
        partner = [int(np.argmax(P[i] * (np.arange(6) != i))) if P[i, i] < 1 else i for i in EVERYONE]
        alone += sum(partner[i] == i for i in EVERYONE)
        x = [(x[i] + x[partner[i]]) / 2 - alpha * g[i] for i in EVERYONE]
        np.testing.assert_allclose(found[round - 1], np.stack(x), rtol=2e-5, atol=2e-6)
        assert len([n for n, b in notes(sim).by_node(round, "bytes_up").items() if b]) == sum(
            partner[i] != i for i in EVERYONE
        )
    assert 0 < alone < 24


def test_one_pair_by_hand() -> None:
    sim = simulation(
        algorithm=Gossip(lr=0.25, batch_size=None, order="adapt_then_combine"), topology="complete", **line(0, 8)
    )
    assert play(sim, 1).flatten().tolist() == [1.0, 1.0]
    assert notes(sim).by_node(1, "bytes_up") == {0: 4, 1: 4}
