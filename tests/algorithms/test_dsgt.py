from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from holdfast.algorithms.decentralised.dsgt import DSGT
from holdfast.types import FloatArray

from ..tiny import Blobs, Cut, line, play, simulation
from .peers import EVERYONE, check, check_exact, gradients, mixed, starts, zeros


def test_by_hand() -> None:
    # Two linked nodes mix by halves. From 0 they step by a quarter of their gradients, 0 and -8: to 1 and 1. Then y is
    # -4 of each, and the gradients have changed by 1 and 1: both step by ¾ to 1¾.
    sim = simulation(algorithm=DSGT(lr=0.25, batch_size=None), topology="complete", **line(0.0, 8.0))
    assert play(sim, 2).squeeze(-1).tolist() == [[1.0, 1.0], [1.75, 1.75]]


@pytest.mark.parametrize("init_grads", [True, False])
def test_against_a_plain_loop(init_grads: bool) -> None:
    def loop() -> Iterator[list[FloatArray]]:
        x, alpha = starts(), 0.2
        g = gradients(x) if init_grads else zeros()
        y = [g_i.copy() for g_i in g]
        while True:
            x = mixed([x[i] - alpha * y[i] for i in EVERYONE])
            new, my = gradients(x), mixed(y)
            y = [my[i] + new[i] - g[i] for i in EVERYONE]
            g = new
            yield x

    check(DSGT(lr=0.2, batch_size=None, init_grads=init_grads), loop)


@pytest.mark.parametrize("init_grads", [True, False])
def test_has_no_bias(init_grads: bool) -> None:
    check_exact(DSGT(lr=0.2, batch_size=None, init_grads=init_grads), 150)


def test_the_mean_of_y_is_that_of_the_gradients() -> None:
    sim = simulation(algorithm=DSGT(batch_size=4), problem=Blobs(), nodes=5, topology="cycle", engine="stacked")
    play(sim, 4)
    state, x_KD = sim.nodes.stores["algorithm"].take(sim.run.everyone), sim.models()
    said, _ = sim.run.parts.algorithm.local(state, sim.run.cohort(sim.run.everyone, 5))  # type: ignore[call-arg]
    expected = sim.run.cohort(sim.run.everyone, 5).gradient(x_KD, batch_size=4)[0].mean(0)
    torch.testing.assert_close(said["y"].mean(0), expected, atol=1e-6, rtol=1e-4)


def test_buffers_move_by_their_own_decrease_and_have_no_y() -> None:
    sim = simulation(
        algorithm=DSGT(batch_size=None), problem="tests.tiny:Normed", nodes=2, partition=Cut(), topology="complete"
    )
    first, second = (
        sim.run.engine.layout.views(torch.from_numpy(x_KD))["running_mean"].flatten() for x_KD in play(sim, 2)
    )
    # The means are 2 and 12: each moves a tenth of the way, and then they mix, twice.
    assert first.tolist() == pytest.approx([0.7, 0.7])
    assert second.tolist() == pytest.approx([0.7 + 0.1 * (7 - 0.7)] * 2)
    parameters = sim.run.engine.layout.parameters
    assert sim.nodes.stores["algorithm"].take(sim.run.everyone)["y"].shape == (2, parameters)
    assert sim.totals["bytes_up"] == 2 * 4 * (sim.run.engine.layout.columns + parameters)
    assert np.isfinite(sim.models().numpy()).all()
