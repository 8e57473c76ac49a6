"""What a coordinator counts that does not know how many samples a node has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.algorithms.federated.qfedavg import QFedAvg
from holdfast.cohort import Cohort
from holdfast.message import Message
from holdfast.runtimes.simulation import Simulation
from holdfast.types import State

from ..tiny import Line, notes, play, simulation

STEP: dict[str, Any] = {"local_epochs": 1, "batch_size": 2, "optimizer": {"name": "sgd", "lr": 0.1}}


class Boasting(FedAvg):
    """Its nodes state weights of all kinds."""

    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        node, said = super().local(node, message, cohort)
        return node, replace(said, weights_K=torch.tensor([0.0, 0.5, torch.inf, torch.nan, 2.0]))


def private(algorithm: FedAvg | QFedAvg) -> Simulation:
    """Five nodes with the same three samples, of which only they know."""
    problem = Line(inputs=((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)), targets=(1.0, 5.0, 2.0), start=(0.0, 0.0))
    return simulation(problem=problem, nodes=5, partition="own_data", engine="sequential", algorithm=algorithm)


@pytest.mark.parametrize(
    ("algorithm", "samples"),
    [
        (FedAvg(**STEP), 15),
        (FedAvg(weighting="loss", **STEP), 15),
        (Boasting(**STEP), 2),
        (FedAvg(weighting="svd", **STEP), 0),
        (QFedAvg(**STEP), 0),
    ],
)
def test_stated_weights_count_as_samples_where_they_can_be(algorithm: FedAvg | QFedAvg, samples: int) -> None:
    sim = private(algorithm)
    play(sim, 1)
    assert notes(sim).values[1, "samples", None] == samples
