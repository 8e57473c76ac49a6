from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.triggers.svd import Svd

from ..tiny import Blobs, Cut, Line, notes, play, simulation
from .news import news, spoken


def test_the_index_by_hand() -> None:
    # Cumulated 4, 6, 7, 7½ of 7½: 95% of them are 7.125.
    inputs = torch.diag(torch.tensor([0.5, 4.0, 1.0, 2.0]))
    assert Svd().survey(inputs, torch.zeros(4), None, 1).tolist() == [3.0]
    assert Svd(share=0.5).survey(inputs, torch.zeros(4), None, 1).tolist() == [0.0]
    assert Svd().survey(torch.zeros(3, 2), torch.zeros(3), None, 1).tolist() == [0.0]


def test_the_index_against_a_plain_loop() -> None:
    inputs = torch.randn(20, 2, 6, generator=torch.Generator().manual_seed(2))
    values = np.linalg.svd(inputs.double().flatten(1).numpy(), compute_uv=False)
    total, index = 0.0, -1
    while total < 0.8 * values.sum():
        index += 1
        total += values[index]
    assert Svd(share=0.8).survey(inputs, torch.zeros(20), None, 1).item() == index


def test_images_of_bytes_and_texts_have_an_index_too() -> None:
    assert Svd().survey(torch.randint(255, (5, 3, 3), dtype=torch.uint8), torch.zeros(5), None, 1).shape == (1,)


def test_the_schedule_by_hand() -> None:
    # ŝ = 0, 1 and ½ of five rounds' worth: 1, 5 and 3 times in ten rounds.
    told = [news(10, [0.0] * 3, [2.0, 12.0, 7.0])] * 10
    expected = [[10], [2, 4, 6, 8, 10], [4, 8, 10]]
    assert spoken(Svd(interval=2), 3, told) == expected


def test_alike_reports_are_of_full_worth_and_a_missing_one_speaks_always() -> None:
    told = [news(4, [0.0] * 3, [3.0, 3.0, np.nan])] * 4
    assert spoken(Svd(interval=2), 3, told) == [[2, 4], [2, 4], [1, 2, 3, 4]]


def test_in_a_simulation() -> None:
    # The inputs of node 0 lie on a line, those of node 1 do not.
    inputs = ((1.0, 0.0), (2.0, 0.0), (3.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.0, 2.0))
    problem = Line(inputs=inputs * 4, targets=(0.0,) * 24, start=(1.0, 1.0))
    sim = simulation(
        problem=problem, nodes=4, partition=Cut(sizes=(3, 3, 9, 9)), algorithm=FedAvg(), trigger="svd", rounds=4
    )
    play(sim, 4)
    assert [sorted(notes(sim).by_node(round, "bytes_up")) for round in (2, 3, 4)] == [[1, 2, 3]] * 2 + [[0, 1, 2, 3]]


def test_refuses_an_interval_longer_than_the_run() -> None:
    with pytest.raises(InputError, match=r"trigger\.interval must be at most 5, the rounds there are, but 6"):
        Experiment(problem=Blobs(), algorithm="fedavg", rounds=5, trigger={"name": "svd", "interval": 6})
