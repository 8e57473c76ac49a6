from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from holdfast.algorithms.decentralised.dsgt import DSGT
from holdfast.algorithms.decentralised.gt_hsgd import GTHSGD
from holdfast.types import FloatArray

from ..tiny import line, play, simulation
from .peers import EVERYONE, FIELDS, check, check_exact, mixed, starts


def test_by_hand() -> None:
    # Without noise it is gradient tracking: from 0, 0 to 1, 1, and by ¾ to 1¾.
    sim = simulation(algorithm=GTHSGD(lr=0.25, batch_size=None), topology="complete", **line(0.0, 8.0))
    assert play(sim, 2).squeeze(-1).tolist() == [[1.0, 1.0], [1.75, 1.75]]


def test_against_a_plain_loop() -> None:
    alpha, beta = 0.2, 0.3
    batches = simulation(algorithm=GTHSGD(), **FIELDS).run

    def g(rows: list[FloatArray], round: int) -> list[FloatArray]:
        """On the one sample of each peer's batch in the round."""
        x_KD = torch.from_numpy(np.stack(rows)).float()
        return list(batches.cohort(batches.everyone, round).gradient(x_KD, batch_size=1)[0].double().numpy())

    def loop() -> Iterator[list[FloatArray]]:
        x, round = starts(), 1
        v = g(x, 1)
        y = mixed(v)
        while True:
            mx, before = mixed(x), x
            x, round = [mx[i] - alpha * y[i] for i in EVERYONE], round + 1
            yield x
            new, old = g(x, round), g(before, round)
            hybrid = [new[i] + (1 - beta) * (v[i] - old[i]) for i in EVERYONE]
            y = mixed([y[i] + hybrid[i] - v[i] for i in EVERYONE])
            v = hybrid

    check(GTHSGD(lr=alpha, beta=beta, batch_size=1), loop)


@pytest.mark.parametrize("beta", [0.1, 1.0])
def test_has_no_bias(beta: float) -> None:
    check_exact(GTHSGD(lr=0.2, beta=beta, batch_size=None), 150)


def test_renewed_wholly_it_is_gradient_tracking() -> None:
    tracked = play(simulation(algorithm=DSGT(lr=0.2, batch_size=1), **FIELDS), 5)
    found = play(simulation(algorithm=GTHSGD(lr=0.2, beta=1, batch_size=1), **FIELDS), 5)
    np.testing.assert_allclose(found, tracked, rtol=1e-5, atol=1e-6)


def test_every_sample_is_passed_twice() -> None:
    assert GTHSGD(batch_size=8).effort(np.array([5, 20])).tolist() == pytest.approx([10, 40 / 3])
