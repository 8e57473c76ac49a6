"""What does not fit shows before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.problems.base import accuracy, cross_entropy
from holdfast.trial import check_batches, check_task

from .small import MODELS, network, samples, seeded, shape_of
from .tiny import Blobs, Cut, prepare


def mean_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return nn.functional.cross_entropy(outputs, targets)


@pytest.mark.parametrize("name", MODELS)
def test_what_fits_passes_and_is_left_as_it_was(name: str) -> None:
    model, before = network(name), torch.get_rng_state()
    kept = {key: value.clone() for key, value in model.state_dict().items()}
    data = samples([4, 6], shape_of(name), torch.float32)
    check_task(model, data)
    check_batches(model, data, 2)
    assert all(torch.equal(kept[key], value) for key, value in model.state_dict().items())
    assert model.training
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("own", "field", "remedy"),
    [
        ({"metrics": {"loss": mean_loss}}, "problem.loss", "reduction='none'"),
        (
            {"metrics": {"loss": cross_entropy, "accuracy": lambda o, t: accuracy(o, t).sum()}},
            "problem.accuracy",
            "none",
        ),
        ({"metrics": {"loss": lambda outputs, targets: outputs @ targets}}, "problem.loss", "RuntimeError"),
        ({"train": (torch.zeros(10, 4), torch.zeros(10).long())}, "problem.model", "shapes"),
        ({"train": (torch.zeros(10, 5).double(), torch.zeros(10).long())}, "problem.model", "Convert the data"),
    ],
    ids=["mean loss", "summed metric", "failing loss", "other inputs", "float64"],
)
def test_what_does_not_fit_is_named(own: dict[str, Any], field: str, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        check_task(network("mlp"), samples([4, 6], dtype=torch.float32, **own))
    assert caught.value.field == field
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("sizes", "batch_size", "node"),
    [
        ([4, 6, 8], 2, None),
        ([4, 6, 8], None, None),
        ([2, 3, 5], 8, None),
        ([4, 7, 8], 2, 1),
        ([4, 7, 9], 3, 0),
        ([4, 1, 9], None, 1),
        ([4, 6, 1], 8, 2),
        ([4, 6, 8], 1, 0),
    ],
)
def test_batch_normalisation_meets_no_batch_of_one(sizes: list[int], batch_size: int | None, node: int | None) -> None:
    data = samples(sizes, dtype=torch.float32)
    check_batches(network("mlp"), data, batch_size)  # no batch normalisation, no trouble
    if node is None:
        check_batches(network("batch_norm"), data, batch_size)
        return
    with pytest.raises(InputError) as caught:
        check_batches(network("batch_norm"), data, batch_size)
    assert caught.value.field == "algorithm.batch_size"
    assert f"{sizes[node]} samples on node {node}" in str(caught.value.given)
    assert "layer normalisation" in caught.value.remedy


def test_statistics_over_an_image_need_one_sample_alone() -> None:
    check_batches(network("cnn_batch_norm"), samples([3, 1], (1, 6, 6), torch.float32), 2)


def test_an_experiment_is_checked_before_it_runs() -> None:
    fields = {"problem": Blobs(batch_norm=True), "nodes": 2, "partition": Cut(sizes=(33, 27)), "rounds": 1}
    with pytest.raises(InputError, match="33 samples on node 0"):
        prepare(**fields, algorithm={"name": "fedavg", "batch_size": 32})
    with pytest.raises(InputError, match="single sample"):
        prepare(**fields, algorithm={"name": "robust_sgd", "batch_size": 2})
    prepare(**fields, algorithm={"name": "fedavg", "batch_size": 30}, engine="sequential")


def test_seeded_networks_are_alike() -> None:
    one, other = (seeded(MODELS["mlp"]).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)
