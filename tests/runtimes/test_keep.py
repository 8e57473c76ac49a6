from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from holdfast.graphs import PICTURED_NODES
from holdfast.runtimes.keep import correctness

from ..test_split import RUN
from ..tiny import Blobs, notes, play, prepare, simulation

PEERS: dict[str, Any] = {"problem": Blobs(), "nodes": 4, "algorithm": "dsgd", "topology": "cycle"}


@pytest.mark.parametrize("engine", ["stacked", "sequential"])
def test_who_tells_which_sample_right_is_what_a_plain_loop_says(engine: str) -> None:
    run = prepare(**PEERS, engine=engine)
    x_KD = run.parts.initial_D + 0.3 * torch.randn(4, run.engine.layout.columns)
    inputs, targets = run.data.test
    found_KS = correctness(run.cohort(run.everyone, 1), x_KD)
    for row in range(4):
        views = {name: view[row] for name, view in run.engine.layout.views(x_KD).items()}
        answers = torch.func.functional_call(run.engine.evaluator, views, (inputs,))
        assert found_KS[row].tolist() == (answers.argmax(1) == targets).tolist()


def test_predictions_are_kept_at_the_end_of_peers_that_are_not_too_many() -> None:
    sim = simulation(**PEERS)
    play(sim, 1)
    sim.measure(1)
    assert notes(sim).kept == {}
    found = sim.measure(1 + 1, last=True)
    kept_NS = notes(sim).kept["predictions"]["correct"]
    assert kept_NS.shape == (4, 30)
    assert kept_NS.mean() == pytest.approx(found["test_accuracy"])
    many = simulation(**PEERS | {"nodes": PICTURED_NODES + 1, "problem": Blobs(samples=303)})
    many.measure(1, last=True)
    server = simulation(**PEERS | {"algorithm": "fedavg", "topology": "star"})
    server.measure(1, last=True)
    assert notes(many).kept == notes(server).kept == {}


def test_maps_are_kept_of_each_part_of_the_run() -> None:
    sim = simulation(**RUN | {"rounds": 46})
    sim.measure(0)
    for round in (1, 2, 46):
        play(sim, 1, round)
        sim.measure(round)
    kept, site = notes(sim).kept, sim.run.robots.site  # type: ignore[union-attr]
    assert set(kept) == {"maps/plan", "maps/00", "maps/01", "maps/23"}  # rounds 0 and 1, 2, and 46
    assert [kept[f"maps/{part}"]["round"] for part in ("00", "01", "23")] == [1, 2, 46]
    assert kept["maps/plan"]["density"].shape == site.density_HW.shape == kept["maps/23"]["maps"].shape[1:]
    views = {name: view[1] for name, view in sim.run.engine.layout.views(sim.models()).items()}
    answers = torch.func.functional_call(sim.run.engine.evaluator, views, (site.mesh_HW2[3],))
    expected = (255 * answers.sigmoid().flatten()).round()
    np.testing.assert_allclose(kept["maps/23"]["maps"][1, 3], expected.detach(), atol=1)


def test_maps_of_what_is_not_finite_are_grey() -> None:
    sim = simulation(**RUN)
    sim.run.parts.initial_D[:] = torch.nan
    sim.measure(0)
    assert (notes(sim).kept["maps/00"]["maps"] == 128).all()
