"""Any elementwise optimiser of torch.optim, by name, on stacked rows or on one row."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from holdfast.component import Settings
from holdfast.errors import InputError, nearest
from holdfast.types import State

__all__ = ["Optimizer", "RowOptimizer"]

_NOT_ELEMENTWISE = {"optimizer", "lbfgs", "sparseadam", "muon", "adafactor"}
_CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    name.lower(): cls
    for name, cls in vars(torch.optim).items()
    if inspect.isclass(cls) and issubclass(cls, torch.optim.Optimizer) and name.lower() not in _NOT_ELEMENTWISE
}


class Optimizer(Settings):
    """An optimiser of torch.optim by its lower-case name, with that optimiser's own arguments.

    Only optimisers that treat every element alone are offered, so that rows of different nodes can be stacked.

    Raises:
        InputError: no such optimiser, or one of its arguments is unknown or refused.

    Example:
        >>> Optimizer(name="sgd", lr=0.1, momentum=0.9)
        Optimizer(name='sgd', lr=0.1, momentum=0.9)
        >>> Optimizer(name="adam", learning_rate=0.1)
        Traceback (most recent call last):
        holdfast.errors.InputError: optimizer.learning_rate must be an argument of Adam, but 0.1 was given. \
Known: amsgrad, betas, eps, lr, maximize, weight_decay.
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)
    name: str = Field("sgd", description="the optimiser of torch.optim, in lower case")
    lr: float = Field(0.1, gt=0, description="the learning rate")

    def examine(self) -> None:
        """Try it on one number.

        Raises:
            InputError: there is no such optimiser, or it refuses its arguments.
        """
        if self.name not in _CLASSES:
            required = "be an elementwise optimiser of torch.optim"
            raise InputError("name", required, self.name, nearest(self.name, _CLASSES))
        cls = _CLASSES[self.name]
        known = set(inspect.signature(cls).parameters) - _IMPLEMENTATION
        for key, value in (self.model_extra or {}).items():
            if key not in known:
                raise InputError(key, f"be an argument of {cls.__name__}", value, nearest(key, known))
        try:
            self.over([torch.zeros(1)])
        except (ValueError, TypeError, IndexError) as error:
            raise InputError("", f"be accepted by {cls.__name__}", self.arguments(), f"{error}.") from error

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of the torch.optim class."""
        extra = {k: tuple(v) if isinstance(v, list) else v for k, v in (self.model_extra or {}).items()}
        return {"lr": self.lr, **extra}

    def over(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
        """The torch optimiser over some tensors."""
        return _CLASSES[self.name](parameters, **self.arguments())

    def step(self, state: State, x_D: Tensor, gradient_D: Tensor) -> tuple[State, Tensor]:
        """One step on one row, with the optimiser's memory handed in and out.

        Example:
            >>> Optimizer(name="sgd", lr=0.5).step({}, torch.tensor([1.0]), torch.tensor([1.0]))
            ({}, tensor([0.5000]))
        """
        x_D = x_D.clone()
        torch_optimizer = self.over([x_D])
        if state:
            torch_optimizer.state[x_D] = {key: value.clone() for key, value in state.items()}
        x_D.grad = gradient_D
        torch_optimizer.step()
        x_D.grad = None
        memory = {key: v for key, v in torch_optimizer.state[x_D].items() if isinstance(v, Tensor)}
        return memory, x_D


_IMPLEMENTATION = {
    "params",
    "foreach",
    "fused",
    "capturable",
    "differentiable",
    "decoupled_weight_decay",
    "self",
}


class RowOptimizer:
    """One torch optimiser over the parameters of a block of rows, of which ever fewer stay active.

    Rows are sorted by how many steps they take, so the active ones are always the first.
    """

    def __init__(self, settings: Optimizer, views: list[Tensor]) -> None:
        self.settings, self.views, self.active = settings, views, len(views[0])
        self.torch_optimizer = settings.over(views)

    def shrink(self, active: int) -> None:
        """Leave out all but the first rows, and their memory with them."""
        if active == self.active:
            return
        old = self.torch_optimizer
        narrowed = [view[:active] for view in self.views]
        self.torch_optimizer = self.settings.over(narrowed)
        for before, after in zip(old.param_groups[0]["params"], narrowed, strict=True):
            memory = old.state.get(before, {})
            self.torch_optimizer.state[after] = {
                key: value[:active] if isinstance(value, Tensor) and value.ndim else value
                for key, value in memory.items()
            }
        self.active = active

    def step(self, gradients: list[Tensor]) -> None:
        """One step of the active rows."""
        for parameter, gradient in zip(self.torch_optimizer.param_groups[0]["params"], gradients, strict=True):
            parameter.grad = gradient
        self.torch_optimizer.step()
