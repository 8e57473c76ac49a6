from __future__ import annotations

from pathlib import Path

import numpy as np

from holdfast.record.recorder import Recorder
from holdfast.record.run_data import Run, load_run
from holdfast.runtimes.debug import Debug
from holdfast.runtimes.simulation import Simulation

from ..tiny import Blobs, line, prepare, simulation


def test_every_node_is_alone() -> None:
    sim = simulation(Debug, algorithm="fedavg", **line(1.0, 2.0, 3.0))
    hosts = sim.hosts(sim.run.cohort(np.array([0, 2]), round=1))
    assert [host.nodes_K.tolist() for host in hosts] == [[0], [2]]


def test_its_record_is_that_of_the_simulation(tmp_path: Path) -> None:
    run = prepare(
        algorithm="fedavg",
        problem=Blobs(),
        nodes=4,
        engine="sequential",
        faults=[{"name": "drop", "probability": 0.3}, {"name": "straggle", "nodes": [1]}],
        attack={"name": "sign_flip", "nodes": [2]},
    )

    def record(runtime: type[Simulation]) -> Run:
        folder = tmp_path / runtime.__name__
        folder.mkdir()
        with Recorder(folder, "main") as log:
            sim = runtime(run, log)
            for round in (1, 2, 3):
                sim.step(round)
            sim.measure(3, last=True)
        return load_run(folder)

    together, alone = record(Simulation), record(Debug)
    assert together.events == alone.events
    assert set(together.metrics()) == set(alone.metrics()) >= {"bytes_up", "speakers", "train_loss", "test_accuracy"}
    for metric in together.metrics():
        first, second = together.series("main", metric), alone.series("main", metric)
        assert first is not None
        assert second is not None
        assert (first.rounds == second.rounds).all()
        np.testing.assert_allclose(first.values, second.values, rtol=1e-4)
    for metric in together.node_metrics("main"):
        of_nodes = together.per_node("main", metric), alone.per_node("main", metric)
        assert of_nodes[0] is not None
        assert of_nodes[1] is not None
        assert (of_nodes[0].nodes == of_nodes[1].nodes).all()
        np.testing.assert_allclose(of_nodes[0].values, of_nodes[1].values, rtol=1e-4)
