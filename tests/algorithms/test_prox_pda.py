from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import numpy as np
import pytest

from holdfast.algorithms.base import Algorithm
from holdfast.algorithms.decentralised.prox_pda import ProxPDA
from holdfast.catalogue import build
from holdfast.errors import InputError
from holdfast.types import FloatArray

from ..tiny import line, notes, play, simulation
from .peers import EVERYONE, GRAPH, check, check_exact, gradients, starts, zeros


def test_by_hand() -> None:
    # One neighbour each and β = 2: from 0 by a quarter of 0 and -8 to 0 and 2. Then p is 2(0 - 2) = -4 and 4:
    # [2(0 + 2) - 0 + 4] / 4 = 2 and [2(2 + 0) + 6 - 4] / 4 = 1½.
    sim = simulation(algorithm=ProxPDA(beta=2, batch_size=None), topology="complete", **line(0.0, 8.0))
    assert play(sim, 2).squeeze(-1).tolist() == [[0.0, 2.0], [2.0, 1.5]]


def test_against_a_plain_loop() -> None:
    beta = 1.5

    def loop() -> Iterator[list[FloatArray]]:
        x, p = starts(), zeros()
        while True:
            g, new = gradients(x), []
            for i in EVERYONE:
                near = list(GRAPH[i])
                new.append((beta * sum(x[i] + x[j] for j in near) - g[i] - p[i]) / (2 * beta * len(near)))
            p = [p[i] + beta * sum(new[i] - new[j] for j in GRAPH[i]) for i in EVERYONE]
            x = new
            yield x

    check(ProxPDA(beta=beta, batch_size=None), loop)


def test_against_the_paper_with_incidence_matrices() -> None:
    # min ⟨∇f, x⟩ + ⟨μ, Ax⟩ + β/2 ‖Ax‖² + β/2 ‖|A|(x - x⁻)‖², and μ ← μ + βAx, with a row of A for each link.
    beta, A = 0.8, nx.incidence_matrix(nx.cycle_graph(5), oriented=True).toarray().T
    b, x, mu = np.array([0.0, 4, -2, 10, 3]), np.zeros(5), np.zeros(5)
    expected = []
    for _ in range(6):
        signless = np.abs(A).T @ np.abs(A)
        x = np.linalg.solve(beta * (A.T @ A + signless), beta * signless @ x - (x - b) - A.T @ mu)
        mu = mu + beta * A @ x
        expected.append(x)
    sim = simulation(algorithm=ProxPDA(beta=beta, batch_size=None), topology="cycle", **line(*b))
    np.testing.assert_allclose(play(sim, 6).squeeze(-1), expected, rtol=1e-5, atol=1e-6)


def test_has_no_bias() -> None:
    check_exact(ProxPDA(beta=0.5, batch_size=None), 250)


def test_who_hears_nobody_waits() -> None:
    trigger = {"name": "periodic", "every": 2}
    sim = simulation(algorithm=ProxPDA(beta=2, batch_size=None), topology="complete", trigger=trigger, **line(0.0, 8.0))
    assert play(sim, 2).squeeze(-1).tolist() == [[0.0, 0.0], [0.0, 2.0]]
    assert notes(sim).by_node(1, "bytes_up") == {}


def test_beta_is_positive() -> None:
    with pytest.raises(InputError, match="beta must be greater than 0"):
        build(Algorithm, {"name": "prox_pda", "beta": 0})
