"""Nodes that train on files of their own, which nobody else has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from holdfast.launch.join import NodeSettings
from holdfast.launch.local import start_node
from holdfast.problems import Problem, Task

from ...tiny import Line
from .cluster import cluster


class Files(Problem):
    """The targets of a line w·1, one a text line of ``targets.txt``; the coordinator's are for the test."""

    def load(self, data_dir: Path | None = None) -> Task:
        targets = (0.0,) if data_dir is None else tuple(map(float, (data_dir / "targets.txt").read_text().split()))
        return Line(inputs=((1.0,),) * len(targets), targets=targets).load()


def test_each_process_trains_on_what_it_loads(tmp_path: Path) -> None:
    held = {"node-0": "1 3", "node-1": "8"}
    algorithm = {"name": "fedavg", "local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}
    fields = {"problem": Files(), "partition": "own_data", "nodes": 2, "rounds": 2, "algorithm": algorithm}
    with cluster(tmp_path, ["0", "1"], **fields) as made:
        for name, targets in held.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "targets.txt").write_text(targets)
            settings = NodeSettings(name, experiment=made.experiment, data_dir=tmp_path / name)
            identity, log = made.identities[name], tmp_path / f"{name}.log"
            made.processes[name] = start_node(made.office.address, identity, settings, log)
        # w ← w + ⅔ ½ (2 - w) + ⅓ ½ (8 - w), from 0: two samples with mean 2 and one of 8
        assert made.play(1)[0, 0] == pytest.approx(2.0)
        assert made.play(1, first=2)[0, 0] == pytest.approx(3.0)
        assert [made.notes.values[round, "samples", None] for round in (1, 2)] == [3, 3]
    assert torch.equal(made.rounds.run.data.train[1], torch.zeros(1))
