from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.algorithms.federated.fedbn import FedBN
from holdfast.algorithms.federated.fedper import FedPer
from holdfast.errors import InputError
from holdfast.layout import Layout

from ..tiny import Blobs, Cut, play, simulation


class Rms(nn.Module):
    """A scale without a shift, as root mean square normalisation has it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))


@pytest.mark.parametrize(
    ("layer", "normalises"),
    [
        (nn.BatchNorm1d(4), True),
        (nn.BatchNorm2d(4, affine=False), True),
        (nn.BatchNorm1d(4, track_running_stats=False), True),
        (nn.LayerNorm(4), True),
        (nn.GroupNorm(2, 4), True),
        (nn.Linear(4, 4), False),
        (nn.Linear(1, 1), False),
        (nn.Conv2d(4, 4, 1), False),
        (nn.Embedding(4, 4), False),
        (nn.PReLU(4), False),
        (Rms(), False),  # has to be named
    ],
)
def test_which_layers_normalise(layer: nn.Module, normalises: bool) -> None:
    layout = Layout.of(nn.Sequential(nn.Linear(4, 4), layer))
    assert FedBN().own_layers(layout) == ({"1"} if normalises else set())
    assert FedBN(layers=["1"]).own_layers(layout) == {"1"}


def test_normalisation_stays_with_its_node() -> None:
    algorithm = FedBN(local_steps=1, batch_size=None)
    fields = {"problem": Blobs(batch_norm=True), "nodes": 2, "partition": "iid", "engine": "sequential"}
    sim = simulation(algorithm=algorithm, **fields)
    before = sim.models()[0].clone()
    play(sim, 2)
    after, layout = sim.models()[0], sim.run.engine.layout
    for name, pair in _pairs(layout, before, after).items():
        if name != "0.bias":  # which the mean takes out again
            assert torch.equal(*pair) is name.startswith("1."), name
    node = sim.nodes.stores["algorithm"].take(np.array([0, 1]))
    used = layout.views(algorithm.personal(node, after.expand(2, -1)))
    assert used["1.num_batches_tracked"].flatten().tolist() == [2, 2]
    assert torch.equal(used["0.weight"][0], used["0.weight"][1])
    for name in ("1.running_mean", "1.running_var", "1.weight", "1.bias"):
        assert not torch.equal(used[name][0], used[name][1]), name


def _pairs(layout: Layout, *rows: torch.Tensor) -> dict[str, tuple[torch.Tensor, ...]]:
    views = [layout.views(x_D) for x_D in rows]
    return {name: tuple(view[name] for view in views) for name in layout.shapes}


def test_the_same_layers_by_name_are_fedper() -> None:
    fields = {"problem": Blobs(batch_norm=True), "nodes": 3, "engine": "sequential"}
    models = [play(simulation(algorithm=a, **fields), 3) for a in (FedBN(), FedPer(layers=["1"]))]
    assert np.array_equal(*models)


def test_without_normalisation_it_is_fedavg() -> None:
    fields = {"problem": Blobs(), "nodes": 3, "engine": "sequential"}
    models = [play(simulation(algorithm=name, **fields), 3) for name in ("fedbn", "fedavg")]
    assert np.array_equal(*models)


def test_refuses_a_network_of_nothing_else() -> None:
    with pytest.raises(InputError, match="leave some layer to share"):
        simulation(algorithm="fedbn", problem="tests.tiny:Normed", nodes=2, partition=Cut())
    with pytest.raises(InputError, match="name layers of the network"):
        FedBN(layers=["norm*"]).widths(Layout.of(nn.Linear(2, 1)))
