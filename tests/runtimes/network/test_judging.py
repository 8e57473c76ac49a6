"""What nodes in other processes say of the models that they use themselves."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from holdfast.runtimes.network.wire import Done

from ...tiny import Blobs, notes, play, simulation
from .cluster import cluster

FIELDS: dict[str, Any] = {
    "problem": Blobs(batch_norm=True, samples=96),
    "nodes": 4,
    "partition": {"name": "label_shards", "classes_per_node": 2},
    "attack": {"name": "sign_flip", "nodes": [0]},
    "seed": 7,
    "rounds": 3,
}
NAMES = ("personal_accuracy", "personal_loss", "local_accuracy", "local_loss")


@pytest.mark.parametrize("algorithm", ["fedavg", "ditto", "fedper", "fedbn"])
def test_nodes_find_there_what_a_simulation_finds(algorithm: str, tmp_path: Path) -> None:
    fields = {**FIELDS, "algorithm": {"name": algorithm, "batch_size": 6}}
    sim = simulation(**fields)
    play(sim, 3)
    expected = sim.measure(3, last=True)
    with cluster(tmp_path, ["0-1", "2-3"], **fields) as made:
        made.start()
        made.play(3)
        found = made.rounds.measure(3, last=True)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    for name in NAMES:
        assert made.notes.by_node(3, name) == pytest.approx(notes(sim).by_node(3, name), rel=1e-4, abs=1e-5)


def test_only_what_was_asked_for_and_of_own_nodes_counts(tmp_path: Path) -> None:
    fields = {**FIELDS, "algorithm": "fedavg", "metrics": ["test_loss", "personal_loss"]}
    with cluster(tmp_path, ["0-1", "2-3"], **fields) as made:
        made.office.crew.members["node-1"] = SimpleNamespace(rows_K=np.array([2, 3]))

        def judged(nodes: list[int], **metrics: list[float]) -> Any:
            return made.rounds._judged_by(Done(run="", sender="node-1", nodes=nodes, metrics=metrics))

        assert judged([2, 3], personal_loss=[0.5, np.inf]) == {"personal_loss": {2: 0.5, 3: np.inf}}
        assert judged([3], personal_loss=[0.5], test_loss=[0.1], local_loss=[0.1]) == {"personal_loss": {3: 0.5}}
        assert judged([2, 3], personal_loss=[0.5]) == {}
        assert judged([1, 2], personal_loss=[0.5, 0.5]) == {}
        assert judged([], personal_loss=[]) == {}
        del made.office.crew.members["node-1"]
