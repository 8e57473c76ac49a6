from __future__ import annotations

import pytest

from holdfast.algorithms.federated.feddyn import FedDyn
from holdfast.algorithms.federated.fednova import FedNova
from holdfast.algorithms.federated.scaffold import Scaffold
from holdfast.errors import InputError
from holdfast.optimizer import Optimizer


@pytest.mark.parametrize(
    ("optimizer", "given"),
    [
        ({"name": "adam"}, "'adam'"),
        ({"momentum": 0.9, "weight_decay": 0.1}, "{'momentum': 0.9}"),
        ({"maximize": True}, "{'maximize': True}"),
    ],
)
def test_scaffold_refuses_other_steps_than_the_gradients(optimizer: dict[str, object], given: str) -> None:
    with pytest.raises(InputError, match="optimizer must be sgd without options") as caught:
        Scaffold(optimizer={"lr": 0.1, **optimizer})
    assert f"but {given} was given. Write optimizer: {{name: sgd, lr: 0.1}}" in str(caught.value)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.0}, {"weight_decay": 0.1}, {"maximize": False}])
def test_scaffold_takes_plain_gradient_descent(options: dict[str, object]) -> None:
    assert Scaffold(optimizer={"name": "sgd", "lr": 0.1, **options}).optimizer.lr == 0.1


def test_fednova_takes_momentum_and_nothing_more() -> None:
    assert FedNova(optimizer={"name": "sgd", "momentum": 0.9}).optimizer.name == "sgd"
    with pytest.raises(InputError, match="nesterov"):
        FedNova(optimizer={"name": "sgd", "momentum": 0.9, "nesterov": True})
    with pytest.raises(InputError, match="'adamw' was given"):
        FedNova(optimizer={"name": "adamw"})


def test_feddyn_takes_any() -> None:
    assert FedDyn(optimizer=Optimizer(name="adam", lr=0.01)).optimizer.name == "adam"
