from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from holdfast.algorithms.decentralised.dsgd import DSGD
from holdfast.algorithms.decentralised.gossip_pga import GossipPGA
from holdfast.types import FloatArray

from ..tiny import line, notes, play, simulation
from .peers import EVERYONE, FIELDS, TARGETS, check, gradients, mixed, starts


@pytest.mark.parametrize("order", ["combine_then_adapt", "adapt_then_combine"])
def test_against_a_plain_loop(order: str) -> None:
    def loop() -> Iterator[list[FloatArray]]:
        x, round = starts(), 1
        while True:
            step = [0.2 * g_i for g_i in gradients(x)]
            late = order == "combine_then_adapt"
            said = x if late else [x[i] - step[i] for i in EVERYONE]
            heard = [np.asarray(sum(said)) / 6] * 6 if round % 3 == 0 else mixed(said)
            x, round = [heard[i] - step[i] if late else heard[i] for i in EVERYONE], round + 1
            yield x

    check(GossipPGA(lr=0.2, every=3, batch_size=None, order=order), loop)


def test_all_are_one_after_a_global_average_and_it_is_paid_for() -> None:
    sim = simulation(algorithm=GossipPGA(lr=0.2, every=4, batch_size=None), topology="cycle", **line(*TARGETS))
    found = play(sim, 4).squeeze(-1)
    np.testing.assert_allclose(found[3], found[3].mean(), rtol=1e-6)
    assert np.ptp(found[2]) > 0.1
    assert [notes(sim).by_node(round, "bytes_up")[0] for round in (3, 4)] == [2 * 4, 4 * 4]


def test_seldom_enough_it_is_dsgd() -> None:
    plain = DSGD(order="adapt_then_combine", batch_size=1)
    found = play(simulation(algorithm=GossipPGA(every=9, batch_size=1), **FIELDS), 5)
    assert np.array_equal(found, play(simulation(algorithm=plain, **FIELDS), 5))
