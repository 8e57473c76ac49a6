"""The models of torchvision and timm, over stand-ins with the functions of the real packages."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.models import TimmModel, TorchvisionModel
from holdfast.models.packages import imported

from ..tiny import play, simulation


class Net(nn.Module):
    """What the stand-ins make."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.stem, self.norm, self.head = nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.stem(x)).mean((2, 3)))


@pytest.fixture
def torchvision(monkeypatch):
    """As of torchvision: get_model(name, weights=None, num_classes=…) and list_models(module=…)."""

    def get_model(name: str, *, weights: object = None, num_classes: int = 1000) -> nn.Module:
        assert (name, weights) == ("resnet18", None)
        return Net(3, num_classes)

    def list_models(module: object = None, include: object = None, exclude: object = None) -> list[str]:
        everything = ["resnet18", "resnet50"] + ([] if module is models else ["fcn_resnet50"])
        return sorted(everything)

    models = SimpleNamespace(get_model=get_model, list_models=list_models)
    fake = ModuleType("torchvision")
    fake.models = models  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", fake)


@pytest.fixture
def timm(monkeypatch):
    """As of timm: create_model(name, pretrained=False, num_classes=…, in_chans=…) and list_models()."""

    def create_model(model_name: str, pretrained: bool = False, **given: int) -> nn.Module:
        assert (model_name, pretrained, sorted(given)) == ("resnet10t", False, ["in_chans", "num_classes"])
        return Net(given["in_chans"], given["num_classes"])

    fake = ModuleType("timm")
    fake.create_model, fake.list_models = create_model, lambda: ["resnet10t", "resnet18"]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", fake)


@pytest.mark.usefixtures("torchvision")
def test_torchvision_makes_an_untrained_network_with_the_problems_classes():
    assert TorchvisionModel().build((3, 32, 32), 7)(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.usefixtures("timm")
def test_timm_makes_an_untrained_network_for_any_number_of_channels():
    model = TimmModel(architecture="resnet10t")
    assert model.build((1, 28, 28), 7)(torch.zeros(2, 1, 28, 28)).shape == (2, 7)


@pytest.mark.usefixtures("timm")
def test_one_of_them_trains():
    problem = {"name": "digits", "model": {"name": "timm_model", "architecture": "resnet10t"}}
    sim = simulation(problem=problem, algorithm="fedavg", nodes=3, engine="sequential")
    assert play(sim, 1).shape == (1, 1, 4 * 9 + 4 + 2 * 4 + 2 * 4 + 1 + 4 * 10 + 10)


@pytest.mark.usefixtures("torchvision", "timm")
@pytest.mark.parametrize(
    ("model", "shape", "words"),
    [
        (TorchvisionModel(architecture="resnet5"), (3, 32, 32), r"architecture must be .* Did you mean 'resnet50'"),
        (TorchvisionModel(architecture="fcn_resnet50"), (3, 32, 32), r"architecture must be .* resnet18"),
        (TorchvisionModel(), (1, 28, 28), r"3 channels.*timm_model"),
        (TorchvisionModel(), (784,), "channels, height, width"),
        (TimmModel(architecture="resnet10"), (3, 32, 32), r"architecture must be .* Did you mean 'resnet10t'"),
        (TimmModel(), (784,), "channels, height, width"),
    ],
)
def test_what_they_cannot_make_is_refused(model, shape, words):
    with pytest.raises(InputError, match=words):
        model.build(shape, 10)


@pytest.mark.parametrize(("model", "package"), [(TorchvisionModel(), "torchvision"), (TimmModel(), "timm")])
def test_a_package_that_is_not_installed_is_named_with_its_extra(model, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"'{package}' was given.*pip install 'holdfast\[{package}\]'"):
        model.build((3, 32, 32), 10)


def test_a_package_that_is_installed_is_handed_over():
    assert imported("torch") is torch
