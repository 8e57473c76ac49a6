"""Any elementwise optimiser of torch.optim, by name, on stacked rows or on one row."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from holdfast.component import Settings
from holdfast.errors import InputError, nearest
from holdfast.schedule import Schedule
from holdfast.types import IntArray, State

__all__ = ["STEP", "Optimizer", "RowOptimizer", "alike"]

STEP = "step"
"""Where the memory of rows holds how many steps each has taken; torch's own name, where it counts them."""

_NOT_ELEMENTWISE = {"optimizer", "lbfgs", "sparseadam", "muon", "adafactor"}
_CLASSES: dict[str, type[torch.optim.Optimizer]] = {
    name.lower(): cls
    for name, cls in vars(torch.optim).items()
    if inspect.isclass(cls) and issubclass(cls, torch.optim.Optimizer) and name.lower() not in _NOT_ELEMENTWISE
}


class Optimizer(Settings):
    """An optimiser of torch.optim by its lower-case name, with that optimiser's own arguments.

    Only optimisers that treat every element alone are offered, so that rows of different nodes can be stacked. With a
    schedule the learning rate changes: the coordinator's from step to step, the nodes' from round to round.

    Raises:
        InputError: no such optimiser, or one of its arguments is unknown or refused.

    Example:
        >>> Optimizer(name="sgd", lr=0.1, momentum=0.9)
        Optimizer(name='sgd', lr=0.1, schedule=None, momentum=0.9)
        >>> Optimizer(name="sgd", lr=0.4, schedule={"warmup": 3}).at(1).lr
        0.2
        >>> Optimizer(name="adam", learning_rate=0.1)
        Traceback (most recent call last):
        holdfast.errors.InputError: optimizer.learning_rate must be an argument of Adam, but 0.1 was given. \
Known: amsgrad, betas, eps, lr, maximize, weight_decay.
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)
    name: str = Field("sgd", description="the optimiser of torch.optim, in lower case")
    lr: float = Field(0.1, gt=0, description="the learning rate")
    schedule: Schedule | None = Field(None, description="how the learning rate changes; it stays without one")

    def examine(self) -> None:
        """Try two steps on one number.

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
            memory, x = self.step({}, torch.ones(1), torch.ones(1))
            if not self.step(memory, x, torch.ones(1))[1].isfinite().all():
                raise ValueError("a step gives no finite number")
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            raise InputError("", f"be accepted by {cls.__name__}", self.arguments(), f"{error}.") from error

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of the torch.optim class."""
        extra = {k: tuple(v) if isinstance(v, list) else v for k, v in (self.model_extra or {}).items()}
        return {"lr": self.lr, **extra}

    def at(self, round: int) -> Optimizer:
        """The optimiser with its learning rate after so many rounds, and without a schedule."""
        if self.schedule is None:
            return self
        return self.model_copy(update={"lr": self.schedule.at(round, self.lr), "schedule": None})

    def over(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
        """The torch optimiser over some tensors."""
        return _CLASSES[self.name](parameters, **self.arguments())

    def step(self, state: State, x_D: Tensor, gradient_D: Tensor) -> tuple[State, Tensor]:
        """One step on one row, with the optimiser's memory handed in and out; under a schedule it counts the steps.

        Example:
            >>> Optimizer(name="sgd", lr=0.5).step({}, torch.tensor([1.0]), torch.tensor([1.0]))
            ({}, tensor([0.5000]))
        """
        x_D, taken = x_D.clone(), int(state.get(_TAKEN, 0))
        torch_optimizer = self.at(taken).over([x_D])
        if known := {key: value.clone() for key, value in state.items() if key != _TAKEN}:
            torch_optimizer.state[x_D] = known
        x_D.grad = gradient_D
        torch_optimizer.step()
        x_D.grad = None
        memory = {key: v for key, v in torch_optimizer.state[x_D].items() if isinstance(v, Tensor)}
        return memory | ({_TAKEN: torch.tensor(taken + 1)} if self.schedule else {}), x_D

    def memory(self, x_KP: Tensor) -> State:
        """What there is to remember of rows that have not taken a step yet: zeros, one row for each.

        Example:
            >>> memory = Optimizer(name="sgd", momentum=0.9).memory(torch.zeros(2, 5))
            >>> {key: tuple(table.shape) for key, table in memory.items()}
            {'step': (2,), 'momentum_buffer': (2, 5)}
        """
        (K, P), one = x_KP.shape, x_KP.new_zeros(1)
        kept = {STEP: torch.tensor(0.0), **self.at(0).step({}, one, one)[0]}
        return {key: value.new_zeros((K, P) if value.ndim else (K,)) for key, value in kept.items()}


_TAKEN = "steps_taken"
"""Where the memory holds how many steps a schedule has seen."""
_IMPLEMENTATION = {
    "params",
    "foreach",
    "fused",
    "capturable",
    "differentiable",
    "decoupled_weight_decay",
    "self",
}


def alike(memory: State, rows: int) -> list[IntArray]:
    """The rows in groups that one torch optimiser can serve: torch keeps a tensor's step once, not once a row.

    Args:
        memory: of the rows, as `Optimizer.memory` gives it; without any, all rows are one group.
        rows: how many there are.

    Example:
        >>> [group.tolist() for group in alike({"step": torch.tensor([7, 0, 7])}, 3)]
        [[1], [0, 2]]
    """
    once = [table.double().cpu().numpy() for table in memory.values() if table.ndim == 1]
    if not once:
        return [np.arange(rows)]
    kinds, kind_K = np.unique(np.stack(once, 1), axis=0, return_inverse=True)
    return [np.flatnonzero(kind_K.reshape(-1) == kind) for kind in range(len(kinds))]


class RowOptimizer:
    """One torch optimiser over the parameters of a block of rows, of which ever fewer stay active.

    Rows are sorted by how many steps they take, so the active ones are always the first.

    Args:
        settings: which optimiser.
        views: (C, …) of each parameter; stepped in place.
        memory: of the rows, which must be `alike`; brought up to date by `remember`. Without it every row is new.
    """

    def __init__(self, settings: Optimizer, views: list[Tensor], memory: State | None = None) -> None:
        self.settings, self.views, self.active = settings, views, len(views[0])
        self.torch_optimizer = settings.over(views)
        self.memory, self.taken = memory or {}, 0
        if memory and memory[STEP][0] > 0:
            self._recall()

    def _recall(self) -> None:
        """Let torch go on from the memory."""
        widths = [view[0].numel() for view in self.views]
        once = {key: table[0] for key, table in self.memory.items() if table.ndim == 1}
        parts = {key: table.split(widths, 1) for key, table in self.memory.items() if table.ndim == 2}
        for place, view in enumerate(self.views):
            rows = {key: part[place].reshape(view.shape) for key, part in parts.items()}
            self.torch_optimizer.state[view] = {key: value.clone() for key, value in {**once, **rows}.items()}

    def remember(self, rows: slice) -> None:
        """Bring the memory of some of the active rows up to date."""
        states = [self.torch_optimizer.state[view] for view in self.torch_optimizer.param_groups[0]["params"]]
        for key, table in self.memory.items():
            if key == STEP:
                table[rows] += self.taken
            elif table.ndim == 1:
                table[rows] = states[0][key]
            else:
                table[rows] = torch.cat([s[key][rows].reshape(rows.stop - rows.start, -1) for s in states], 1)

    def shrink(self, active: int) -> None:
        """Leave out all but the first rows; the others' memory stays as it is now."""
        if active == self.active:
            return
        self.remember(slice(active, self.active))
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
        self.taken += 1
