from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.algorithms.federated.fedper import FedPer
from holdfast.errors import InputError
from holdfast.layout import Layout
from holdfast.problems import Problem, Task

from ..tiny import Blobs, Cut, half_square, line, notes, play, simulation

DEEP = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))


class Product(Problem):
    """The model b·a·x, from a = b = 1, and two samples."""

    def load(self, data_dir: Path | None = None) -> Task:
        both = torch.ones(2, 1), torch.tensor([2.0, 6.0])
        return Task(self._model, both, both, half_square, metrics={})

    def _model(self) -> nn.Module:
        model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
        for parameter in model.parameters():
            nn.init.ones_(parameter)
        return model


def product(**fields: Any) -> Any:
    local = {"local_steps": 2, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.1}}
    problem = f"{__name__}:Product"
    return simulation(**{"algorithm": FedPer(**local), "problem": problem, "nodes": 2, "partition": Cut(), **fields})


def test_against_a_plain_loop() -> None:
    a, own, expected = 1.0, np.ones(2), []
    for _ in range(4):
        ends = []
        for i, target in enumerate((2.0, 6.0)):
            y, b = a, own[i]
            for _ in range(2):
                error = y * b - target
                y, b = y - 0.1 * error * b, b - 0.1 * error * y
            own[i] = b
            ends.append(y)
        a = float(np.mean(ends))
        expected.append(a)
    sim = product()
    models = play(sim, 4)[:, 0]
    np.testing.assert_allclose(models[:, 0], expected, rtol=1e-5)
    assert (models[:, 1] == 1).all(), "the coordinator's own layers stay as they were"
    np.testing.assert_allclose(sim.nodes.stores["algorithm"].state()["rows.own"].flatten(), own, rtol=1e-5)


def test_by_hand() -> None:
    # One step of lr 0.1 from a = b = 1: the errors are -1 and -5, so a and b go to 1.1 and to 1.5.
    local = {"local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.1}}
    sim = product(algorithm=FedPer(**local))
    assert play(sim, 1).flatten().tolist() == pytest.approx([1.3, 1.0])
    node = sim.nodes.stores["algorithm"].take(np.array([0, 1]))
    used_KD = sim.run.parts.algorithm.personal(node, sim.models().expand(2, -1))
    assert used_KD.flatten().tolist() == pytest.approx([1.3, 1.1, 1.3, 1.5])


def test_own_layers_do_not_travel() -> None:
    sim = simulation(algorithm="fedper", problem=Blobs(), nodes=3, engine="sequential")
    play(sim, 1)
    shared = 2 * 4 + 4  # of the two layers, the first
    assert set(notes(sim).by_node(1, "bytes_up").values()) == {4.0 * shared}
    assert set(notes(sim).by_node(1, "bytes_down").values()) == {4.0 * shared}


@pytest.mark.parametrize(
    ("layers", "own"),
    [
        (1, {"5"}),
        (2, {"3", "5"}),
        (3, {"1", "3", "5"}),
        (("1",), {"1"}),
        (("0", "[35]"), {"0", "3", "5"}),
    ],
)
def test_which_layers(layers: Any, own: set[str]) -> None:
    layout, algorithm = Layout.of(DEEP), FedPer(layers=layers)
    assert algorithm.own_layers(layout) == own
    stays = algorithm.stays(layout)
    sizes = {"0": 8, "1": 9, "3": 6, "5": 3}  # with the statistics of batch normalisation
    assert int(stays.sum()) == sum(sizes[layer] for layer in own)
    assert algorithm.widths(layout) == {"update": 26 - int(stays.sum())}
    for name, view in layout.views(stays).items():
        assert bool(view.all() if name.partition(".")[0] in own else not view.any())


@pytest.mark.parametrize(
    ("layers", "complaint"),
    [
        (4, "algorithm.layers must leave some of the network's 4 layers to share, but 4 was given. Use layers: 3"),
        (("head",), "algorithm.layers must name layers of the network, but 'head' was given. Known: 0, 1, 3, 5."),
        (("*",), "algorithm.layers must leave some layer to share, but '0, 1, 3, 5' was given."),
    ],
)
def test_refuses_layers_that_there_are_not(layers: Any, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        FedPer(layers=layers).widths(Layout.of(DEEP))
    assert str(caught.value).startswith(complaint)


def test_refuses_a_single_layer_before_the_first_round() -> None:
    with pytest.raises(InputError, match="Use a deeper network"):
        simulation(algorithm="fedper", **line(1.0, 2.0))


@pytest.mark.parametrize("layers", [0, (), "head"])
def test_refuses_no_layer_at_construction(layers: Any) -> None:
    with pytest.raises(InputError, match="layers"):
        FedPer(layers=layers)


def test_triggers_see_whole_rows_that_differ_in_the_shared_columns() -> None:
    sim = product()
    algorithm, cohort = sim.run.parts.algorithm, sim.run.cohort(sim.run.everyone, 1)
    heard = algorithm.broadcast(sim.server.algorithm).to_rows(2)
    node = algorithm.start_nodes(sim.run.parts.initial_D.expand(2, -1), cohort)
    node, said = algorithm.local(node, heard, cohort)
    moved_KD, reference_KD = algorithm.watched(node, said, heard)
    assert torch.equal(moved_KD - reference_KD, nn.functional.pad(said["update"], (0, 1)))
    assert torch.equal(reference_KD[:, 1:], node["own"])
