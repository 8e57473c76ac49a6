"""Any elementwise optimiser of torch.optim, on rows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import BaseModel, Field
from torch import Tensor

from holdfast import optimizer as module
from holdfast.algorithms import Algorithm
from holdfast.catalogue import build
from holdfast.errors import InputError
from holdfast.optimizer import Optimizer, RowOptimizer

SPECIAL: list[dict[str, Any]] = [
    {"name": "sgd", "momentum": 0.9},
    {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    {"name": "adam", "amsgrad": True, "betas": [0.8, 0.9]},
    {"name": "adagrad", "initial_accumulator_value": 0.5, "lr_decay": 0.1},
    {"name": "rmsprop", "momentum": 0.5, "centered": True},
    {"name": "asgd", "t0": 2.0},
]
SETTINGS = [{"name": name} for name in sorted(module._CLASSES)] + SPECIAL
every = pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(map(str, s.values())))
SHAPES = [(2, 3), (2,), ()]
K, STEPS = 3, 5


def made(settings: dict[str, Any]) -> Optimizer:
    return Optimizer(**{"lr": 0.05, **settings})


def starts() -> list[Tensor]:
    source = torch.Generator().manual_seed(1)
    return [torch.randn(K, *shape, generator=source, dtype=torch.float64) for shape in SHAPES]


def gradients(step: int) -> list[Tensor]:
    source = torch.Generator().manual_seed(100 + step)
    return [torch.randn(K, *shape, generator=source, dtype=torch.float64) for shape in SHAPES]


def alone(settings: dict[str, Any], row: int, steps: int) -> list[Tensor]:
    """A row trained by torch itself."""
    tensors = [start[row].clone() for start in starts()]
    torch_optimizer = made(settings).over(tensors)
    for step in range(steps):
        for tensor, gradient in zip(tensors, gradients(step), strict=True):
            tensor.grad = gradient[row]
        torch_optimizer.step()
    return tensors


def test_every_elementwise_optimiser_is_offered() -> None:
    assert {"sgd", "adam", "adamw", "rmsprop", "adagrad"} <= module._CLASSES.keys()
    assert not {"lbfgs", "sparseadam", "muon", "adafactor", "optimizer"} & module._CLASSES.keys()


@every
def test_stacked_rows_are_each_row_alone(settings: dict[str, Any]) -> None:
    views = starts()
    stepper = RowOptimizer(made(settings), views)
    for step in range(STEPS):
        stepper.step(gradients(step))
    for row in range(K):
        for view, expected in zip(views, alone(settings, row, STEPS), strict=True):
            torch.testing.assert_close(view[row], expected, rtol=1e-12, atol=1e-12)


@every
def test_when_rows_leave_the_rest_go_on_as_if_alone(settings: dict[str, Any]) -> None:
    views, takes = starts(), [STEPS, 4, 2]  # sorted, the most steps first
    stepper = RowOptimizer(made(settings), views)
    for step in range(STEPS):
        active = sum(count > step for count in takes)
        stepper.shrink(active)
        stepper.step([gradient[:active] for gradient in gradients(step)])
    for row, steps in enumerate(takes):
        for view, expected in zip(views, alone(settings, row, steps), strict=True):
            torch.testing.assert_close(view[row], expected, rtol=1e-12, atol=1e-12)


@every
def test_a_memory_carries_rows_from_one_block_to_the_next(settings: dict[str, Any]) -> None:
    views, takes = starts(), [2, 2, 1]
    memory = made(settings).memory(torch.zeros(K, sum(view[0].numel() for view in views), dtype=torch.float64))
    stepper = RowOptimizer(made(settings), views, memory)
    for step in range(2):
        active = sum(count > step for count in takes)
        stepper.shrink(active)
        stepper.step([gradient[:active] for gradient in gradients(step)])
    stepper.remember(slice(0, 2))
    assert [group.tolist() for group in module.alike(memory, K)] == [[2], [0, 1]]
    for rows, first in (([0, 1], 2), ([2], 1)):
        again = [view[rows] for view in views]
        stepper = RowOptimizer(made(settings), again, {key: table[rows] for key, table in memory.items()})
        for step in range(first, STEPS):
            stepper.step([gradient[rows] for gradient in gradients(step)])
        for place, row in enumerate(rows):
            for view, expected in zip(again, alone(settings, row, STEPS), strict=True):
                torch.testing.assert_close(view[place], expected, rtol=1e-12, atol=1e-12)


def test_rows_may_leave_before_the_first_step() -> None:
    views = starts()
    stepper = RowOptimizer(made({"name": "adagrad"}), views)
    stepper.shrink(1)
    stepper.step([gradient[:1] for gradient in gradients(0)])
    for view, expected, start in zip(views, alone({"name": "adagrad"}, 0, 1), starts(), strict=True):
        torch.testing.assert_close(view[0], expected)
        assert torch.equal(view[1:], start[1:])


@every
def test_step_hands_its_memory_in_and_out(settings: dict[str, Any]) -> None:
    x_D, state = starts()[0][0].flatten(), {}
    for step in range(STEPS):
        before, memory = x_D.clone(), {key: value.clone() for key, value in state.items()}
        new_state, new_D = made(settings).step(state, x_D, gradients(step)[0][0].flatten())
        assert torch.equal(x_D, before), "changed its input"
        assert all(torch.equal(state[key], memory[key]) for key in memory), "changed its memory in place"
        assert all(isinstance(value, Tensor) for value in new_state.values())
        state, x_D = new_state, new_D
    expected = alone(settings, 0, STEPS)[0].flatten()
    torch.testing.assert_close(x_D, expected, rtol=1e-12, atol=1e-12)
    assert x_D.grad is None


def test_a_mistake_is_named_with_its_remedy() -> None:
    for fields, field, remedy in [
        ({"name": "sgdd"}, "optimizer.name", "'sgd'"),
        ({"name": "lbfgs"}, "optimizer.name", "adam"),
        ({"name": "adam", "beta": 1}, "optimizer.beta", "'betas'"),
        ({"name": "sgd", "foreach": True}, "optimizer.foreach", "momentum"),
        ({"name": "sgd", "lr": 0}, "optimizer.lr", "left out"),
        ({"name": "sgd", "lr": float("inf")}, "optimizer.lr", "left out"),
        ({"name": "sgd", "momentum": -1}, "optimizer", "momentum"),
        ({"name": "sgd", "momentum": "much"}, "optimizer", "str"),
        ({"name": "adam", "betas": [0.9]}, "optimizer", "range"),
        ({"name": "adam", "betas": [0.9, 0.99, 0.9]}, "optimizer", "too many values"),
        ({"name": "sgd", "momentum": 0.9, "dampening": "x"}, "optimizer", "str"),
        ({"name": "sgd", "weight_decay": float("nan")}, "optimizer", "no finite number"),
        ({"name": "sgd", "nesterov": True}, "optimizer", "Nesterov"),
    ]:
        with pytest.raises(InputError) as caught:
            Optimizer(**fields)
        assert caught.value.field == field
        assert remedy in caught.value.remedy, fields


@pytest.mark.parametrize("wrong", [{"name": "sgdd"}, {"lr": -1}, {"name": "sgd", "beta": 1}, "sgd", {"betas": 1}])
def test_the_error_names_the_field_that_holds_it(wrong: object) -> None:
    with pytest.raises(InputError) as caught:
        build(Algorithm, {"name": "fedavg", "optimizer": wrong})
    assert caught.value.field.startswith("optimizer")
    assert "optimizer.optimizer" not in caught.value.field

    class Two(BaseModel):
        server_optimizer: Optimizer = Field(Optimizer(), description="another name")

    with pytest.raises(InputError) as caught:
        Two.model_validate({"server_optimizer": wrong})
    assert caught.value.field.startswith("server_optimizer")


def test_it_survives_an_experiment_file() -> None:
    optimizer = Optimizer(name="adam", lr=0.01, betas=(0.8, 0.9))
    assert Optimizer(**optimizer.model_dump(mode="json")).arguments() == optimizer.arguments()


FIVE = ["sgd", "rmsprop", "adam", "adagrad", "adadelta"]


@pytest.mark.parametrize("name", FIVE)
def test_a_scheduled_step_is_torchs_own_with_that_rate(name: str) -> None:
    schedule = {"name": "polynomial", "rounds": 4, "end": 0.01, "warmup": 1}
    scheduled = made({"name": name, "schedule": schedule})
    x_D, state = starts()[0][0].flatten(), {}
    expected = x_D.clone()
    theirs = made({"name": name}).over([expected])
    for step, lr in enumerate([0.025, 0.05, 0.04, 0.03, 0.02, 0.01, 0.01]):
        theirs.param_groups[0]["lr"] = lr
        expected.grad = gradients(step)[0][0].flatten()
        theirs.step()
        state, x_D = scheduled.step(state, x_D, gradients(step)[0][0].flatten())
        torch.testing.assert_close(x_D, expected, rtol=1e-12, atol=1e-12)
    assert int(state["steps_taken"]) == 7


def test_without_a_schedule_the_rate_stays_and_nothing_is_counted() -> None:
    optimizer = made({"name": "adam"})
    assert optimizer.at(1000) is optimizer
    assert "steps_taken" not in optimizer.step({}, torch.zeros(2), torch.ones(2))[0]


def test_a_schedule_is_built_from_an_experiment_file_and_its_errors_name_it() -> None:
    fields = {"name": "sgd", "lr": 0.05, "schedule": {"name": "polynomial", "end": 1e-4, "rounds": 10_000, "power": 1}}
    optimizer = Optimizer(**fields)
    assert Optimizer(**optimizer.model_dump(mode="json")) == optimizer
    with pytest.raises(InputError) as caught:
        build(Algorithm, {"name": "fedavg", "optimizer": {"schedule": {"name": "cosine", "power": 2}}})
    assert caught.value.field == "optimizer.schedule.power"
