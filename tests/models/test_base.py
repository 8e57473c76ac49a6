from __future__ import annotations

from pathlib import Path

import pytest
import torch

from holdfast.catalogue import build
from holdfast.errors import InputError
from holdfast.experiment import load
from holdfast.models import Model
from holdfast.run import run

MINE = """
from torch import nn

class Mine(nn.Module):
    def __init__(self, width=3, *, depth: int = 1):
        super().__init__()
        if depth > 2:
            raise ValueError("too deep")
        inner = [nn.Linear(width, width) for _ in range(depth)]
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, width), *inner, nn.ReLU(), nn.Linear(width, 10))

    def forward(self, x):
        return self.layers(x)

class Named(Mine):
    def __init__(self, name="me"):
        super().__init__()

class NotOne:
    pass
"""
EXPERIMENT = """
problem: {name: digits, model: {name: "plain_mine:Mine", width: 5}}
algorithm: fedavg
nodes: 3
rounds: 1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "plain_mine.py").write_text(MINE)
    (tmp_path / "mine.yaml").write_text(EXPERIMENT)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_plain_module_is_a_model_and_its_arguments_hyperparameters(folder: Path) -> None:
    model = build(Model, {"name": "plain_mine:Mine", "width": 4, "depth": 2})
    assert model.as_mapping() == {"name": "plain_mine:Mine", "width": 4, "depth": 2}
    assert build(Model, model.as_mapping()) == model
    network = model.build((1, 8, 8), 10)
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert sum(p.numel() for p in network.parameters()) == 65 * 4 + 2 * 5 * 4 + 5 * 10


def test_a_plain_module_runs_from_a_file_and_again_from_what_the_run_saved(folder: Path) -> None:
    result = run(load(folder / "mine.yaml"), folder / "first", source=folder)
    again = run(load(folder / "first" / "experiment.yaml"), folder / "second", source=folder)
    assert result.final("test_loss") == again.final("test_loss")


def test_mistakes_name_the_argument(folder: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'width'"):
        build(Model, {"name": "plain_mine:Mine", "widht": 4})
    with pytest.raises(InputError, match="too deep"):
        build(Model, {"name": "plain_mine:Mine", "depth": 3}).build((1, 8, 8), 10)
    with pytest.raises(InputError, match=r"that every model has itself, but 'name of Named' was given"):
        build(Model, "plain_mine:Named")
    with pytest.raises(InputError, match="Derive NotOne"):
        build(Model, "plain_mine:NotOne")
