from __future__ import annotations

from collections.abc import Iterator

from holdfast.algorithms.decentralised.extra import EXTRA
from holdfast.types import FloatArray

from ..tiny import line, play, simulation
from .peers import EVERYONE, check, check_exact, gradients, mixed, starts


def test_by_hand() -> None:
    # Two linked nodes mix by halves. 0, 0 → 0, 2 by a quarter of 0 and -8. Then the mean is 1, the gradients 0 and -6:
    # to 1 and 2½, nothing to correct yet; and now half of what mixing did, ½ and -½: 1¾ - ¼ + ½ and 1¾ + 1⅜ - ½.
    sim = simulation(algorithm=EXTRA(lr=0.25, batch_size=None), topology="complete", **line(0.0, 8.0))
    assert play(sim, 3).squeeze(-1).tolist() == [[0.0, 2.0], [1.0, 2.5], [2.0, 2.625]]


def test_against_the_recursion_of_the_paper() -> None:
    def loop() -> Iterator[list[FloatArray]]:
        alpha, before = 0.2, starts()
        g, m = gradients(before), mixed(before)
        x = [m[i] - alpha * g[i] for i in EVERYONE]
        while True:
            yield x
            new, mx, half = gradients(x), mixed(x), [(before[i] + m[i]) / 2 for i in EVERYONE]
            after = [x[i] + mx[i] - half[i] - alpha * (new[i] - g[i]) for i in EVERYONE]
            before, m, g, x = x, mx, new, after

    check(EXTRA(lr=0.2, batch_size=None), loop)


def test_has_no_bias() -> None:
    check_exact(EXTRA(lr=0.3, batch_size=None), 200)
