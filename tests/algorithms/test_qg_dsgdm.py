from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from holdfast.algorithms.decentralised.dsgd import DSGD
from holdfast.algorithms.decentralised.qg_dsgdm import QGDSGDm
from holdfast.types import FloatArray

from ..tiny import line, play, simulation
from .peers import EVERYONE, FIELDS, MIDDLE, at_the_end, check, gradients, mixed, starts, zeros


def test_by_hand() -> None:
    # From 0, 0 by a quarter of 0 and -8, mixed: 1, 1; both went -4 per unit of η. Half of that is kept, and half of it
    # added to the gradients 1 and -7: steps of 0 and 2, mixed: 2, 2.
    algorithm = QGDSGDm(lr=0.25, beta=0.5, mu=0.5, batch_size=None)
    sim = simulation(algorithm=algorithm, topology="complete", **line(0.0, 8.0))
    assert play(sim, 2).squeeze(-1).tolist() == [[1.0, 1.0], [2.0, 2.0]]


def test_against_a_plain_loop() -> None:
    eta, beta, mu = 0.1, 0.8, 0.6

    def loop() -> Iterator[list[FloatArray]]:
        x, kept = starts(), zeros()
        while True:
            g = gradients(x)
            new = mixed([x[i] - eta * (beta * kept[i] + g[i]) for i in EVERYONE])
            kept = [mu * kept[i] + (1 - mu) * (x[i] - new[i]) / eta for i in EVERYONE]
            x = new
            yield x

    check(QGDSGDm(lr=eta, beta=beta, mu=mu, batch_size=None), loop)


def test_without_momentum_it_is_dsgd() -> None:
    plain = DSGD(lr=0.2, order="adapt_then_combine", batch_size=1)
    found = play(simulation(algorithm=QGDSGDm(lr=0.2, beta=0, batch_size=1), **FIELDS), 4)
    np.testing.assert_allclose(found, play(simulation(algorithm=plain, **FIELDS), 4), rtol=1e-6)


def test_the_peers_mean_comes_to_the_minimum() -> None:
    x = at_the_end(QGDSGDm(lr=0.05, batch_size=None), 200)
    assert abs(np.mean(x) - MIDDLE) < 0.02
