"""What rows weigh in the mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.inbox import ServerInbox

from .tiny import Cut, Line, notes, play, simulation

STEP: dict[str, Any] = {"local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}


def inbox(**fields: Any) -> ServerInbox:
    nodes_M = np.arange(3)
    given = {"weights_M": torch.tensor([1.0, 2.0, 5.0]), "losses_M": torch.tensor([0.0, 1.0, 2.0]), **fields}
    return ServerInbox(nodes_M, {}, {}, staleness_M=0 * nodes_M, parameters=1, **given)


def softmax(*values: float) -> list[float]:
    return (np.exp(values) / np.exp(values).sum()).tolist()


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        ("samples", [1, 2, 5]),
        ("uniform", [1, 1, 1]),
        ("loss", softmax(0, 1, 2)),
        ("inverse_loss", softmax(0, -1, -2)),
        ("svd", softmax(0, 0.25, 1)),
    ],
)
def test_weights(weighting: Any, expected: list[float]) -> None:
    assert FedAvg(weighting=weighting).weights(inbox()).tolist() == pytest.approx(expected)


def test_losses_that_are_no_numbers_count_as_none() -> None:
    losses_M = torch.tensor([torch.nan, 1.0, torch.inf])
    assert FedAvg(weighting="loss").weights(inbox(losses_M=losses_M)).tolist() == pytest.approx(softmax(0, 1, 0))


def test_where_all_are_equally_various_they_weigh_the_same() -> None:
    weights_M = FedAvg(weighting="svd").weights(inbox(weights_M=torch.full((3,), 4.0)))
    assert weights_M.tolist() == pytest.approx([1 / 3] * 3)


def test_what_counts_is_the_nodes_own_matrix() -> None:
    """Node 0 sees one direction alone, so its index is 0; node 1 two that are equally long, so its index is 1."""
    inputs = ((1.0, 0.0), (1.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    problem = Line(inputs=inputs, targets=(2.0, 2.0, 0.0, 0.0), start=(0.0, 0.0))
    algorithm = FedAvg(weighting="svd", **STEP)
    sim = simulation(problem=problem, nodes=2, partition=Cut(), algorithm=algorithm, engine="sequential")
    first = play(sim, 1)[0, 0]
    assert first.tolist() == pytest.approx([softmax(0, 1)[0] * 1.0, 0.0], abs=1e-6)
    assert notes(sim).values[1, "speakers", None] == 2
