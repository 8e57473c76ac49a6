"""The samples of greatest loss: a plain loop over nodes and samples finds the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.engines import Engine
from holdfast.problems.base import cross_entropy

from .small import ENGINES, cohort, load, network, rows, samples, shape_of

SIZES = [40, 3, 70, 1, 33]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("chunk", [2, 100])
@pytest.mark.parametrize("name", ["mlp", "dropout", "batch_norm", "cnn"])
def test_hardest_is_a_plain_loop(name: str, chunk: int, engine: type[Engine]) -> None:
    data = samples(SIZES, shape_of(name))
    k = cohort(data, network(name).double(), engine, chunk)
    x_KD = rows(k, network(name))
    found_Kn = k.hardest(x_KD, 5)
    assert found_Kn.dtype == torch.int32
    for row, shard in enumerate(data.shards):
        model = load(network(name), k, x_KD[row]).eval()
        with torch.no_grad():
            losses = [cross_entropy(model(data.train[0][[s]]), data.train[1][[s]]).item() for s in shard.tolist()]
        expected = shard[np.argsort(-np.array(losses), kind="stable")][:5].tolist()
        assert found_Kn[row].tolist() == expected + [-1] * (5 - len(expected))


@pytest.mark.parametrize("engine", ENGINES)
def test_poisoned_nodes_judge_what_they_see(engine: type[Engine]) -> None:
    data = samples([6, 6])

    def flip(inputs, targets, classes):
        return inputs, classes - 1 - targets

    honest = cohort(data, network("mlp").double(), engine)
    x_KD = rows(honest, network("mlp"))
    poisoned = cohort(data, network("mlp").double(), engine, poison=flip, poisoned_K=np.array([False, True]))
    flipped = cohort(samples([6, 6], train=(data.train[0], 2 - data.train[1])), network("mlp").double(), engine)
    assert poisoned.hardest(x_KD, 6)[0].tolist() == honest.hardest(x_KD, 6)[0].tolist()
    assert poisoned.hardest(x_KD, 6)[1].tolist() == flipped.hardest(x_KD, 6)[1].tolist()
    assert flipped.hardest(x_KD, 6)[1].tolist() != honest.hardest(x_KD, 6)[1].tolist()


def test_what_a_node_has_taken_over_is_not_its_own() -> None:
    data = samples([4, 5])
    k = cohort(data, network("mlp").double(), held={0: np.arange(9)})
    assert k.sizes_K.tolist() == [9, 5]
    assert sorted(k.hardest(rows(k, network("mlp")), 4)[0].tolist()) == sorted(data.shards[0].tolist())
    assert k.rows(np.array([0])).sizes_K.tolist() == [9]
