from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.algorithms.decentralised.nids import NIDS
from holdfast.types import FloatArray

from ..tiny import line, play, simulation
from .peers import EVERYONE, check, check_exact, gradients, mixed, starts


def test_by_hand() -> None:
    # Two linked nodes mix half way by halves: ¾ and ¼. From 0, 0 to 0, 2 by a quarter of 0 and -8, mixed ½ and 1½.
    # Then 2x - x⁻ is 1 and 3, and the gradients, ½ and -6½, have changed by ½ and 1½: ⅞ and 2⅝, mixed 1 5/16, 2 3/16.
    sim = simulation(algorithm=NIDS(lr=0.25, batch_size=None), topology="complete", **line(0.0, 8.0))
    assert play(sim, 2).squeeze(-1).tolist() == [[0.5, 1.5], [1.3125, 2.1875]]


def test_against_the_recursion_of_the_paper() -> None:
    def half(rows: list[FloatArray]) -> list[FloatArray]:
        return [(x_i + m_i) / 2 for x_i, m_i in zip(rows, mixed(rows), strict=True)]

    def loop() -> Iterator[list[FloatArray]]:
        alpha, before = 0.2, starts()
        g = gradients(before)
        x = half([before[i] - alpha * g[i] for i in EVERYONE])
        while True:
            yield x
            new = gradients(x)
            after = half([2 * x[i] - before[i] - alpha * (new[i] - g[i]) for i in EVERYONE])
            before, g, x = x, new, after

    check(NIDS(lr=0.2, batch_size=None), loop)


@pytest.mark.parametrize("lr", [0.3, 1.2])  # anything below 2/L, whatever the graph
def test_has_no_bias(lr: float) -> None:
    check_exact(NIDS(lr=lr, batch_size=None), 200)
