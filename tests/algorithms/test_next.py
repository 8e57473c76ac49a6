from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from holdfast.algorithms.decentralised.dsgt import DSGT
from holdfast.algorithms.decentralised.next import NEXT
from holdfast.types import FloatArray

from ..tiny import line, play, simulation
from .peers import EVERYONE, FIELDS, at_the_end, check, check_exact, gradients, mixed, starts


def test_by_hand() -> None:
    # The minima of the models, with τ = 2, are half the gradients away: 0 and 4. Half way there, and the mean: 1, 1.
    sim = simulation(algorithm=NEXT(tau=2, alpha=0.5, batch_size=None), topology="complete", **line(0.0, 8.0))
    assert play(sim, 1).flatten().tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("mu", "l1"), [(0.0, 0.0), (0.3, 0.05)])
def test_against_the_algorithm_of_the_paper(mu: float, l1: float) -> None:
    N, tau = len(EVERYONE), 5.0

    def model_minimum(x: FloatArray, slope: FloatArray) -> FloatArray:
        """Of slopeᵀ(y - x) + Nτ/2 ‖y - x‖² + N l1 ‖y‖₁, a number at a time, by trying where it may be."""
        found = []
        for x_d, s_d in zip(x, slope, strict=True):
            tries = [0.0, x_d - (s_d + N * l1) / (N * tau), x_d - (s_d - N * l1) / (N * tau)]
            values = [s_d * (y - x_d) + N * tau / 2 * (y - x_d) ** 2 + N * l1 * abs(y) for y in tries]
            found.append(tries[int(np.argmin(values))])
        return np.array(found)

    def loop() -> Iterator[list[FloatArray]]:
        x, alpha = starts(), 0.8
        g = gradients(x)
        y = [g_i.copy() for g_i in g]
        pi = [N * y[i] - g[i] for i in EVERYONE]
        while True:
            best = [model_minimum(x[i], g[i] + pi[i]) for i in EVERYONE]
            x = mixed([x[i] + alpha * (best[i] - x[i]) for i in EVERYONE])
            new, my = gradients(x), mixed(y)
            y = [my[i] + new[i] - g[i] for i in EVERYONE]
            pi = [N * y[i] - new[i] for i in EVERYONE]
            g, alpha = new, alpha * (1 - mu * alpha)
            yield x

    check(NEXT(tau=tau, alpha=0.8, mu=mu, l1=l1, batch_size=None), loop)


def test_has_no_bias() -> None:
    check_exact(NEXT(tau=4, alpha=0.8, batch_size=None), 150)


def test_the_penalty_shifts_the_minimum_by_as_much_as_it_should() -> None:
    # The mean of ½(w - b)² and ½|w| is least half a unit nearer to 0.
    np.testing.assert_allclose(at_the_end(NEXT(tau=4, l1=0.5, batch_size=None), 150), 2.5, atol=1e-5)


def test_the_whole_way_is_gradient_tracking() -> None:
    tracked = play(simulation(algorithm=DSGT(lr=0.2, batch_size=1), **FIELDS), 5)
    found = play(simulation(algorithm=NEXT(tau=5, alpha=1, batch_size=1), **FIELDS), 5)
    np.testing.assert_allclose(found, tracked, rtol=1e-5, atol=1e-6)
