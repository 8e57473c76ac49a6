"""The two ways to compute the gradients of a block of rows: stacked by torch.func, or one row after another."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from holdfast.dropout import address_dropout, addressed
from holdfast.layout import Layout

__all__ = ["Batch", "Engine", "Gradients", "SequentialEngine", "StackedEngine", "coupled"]

Loss = Callable[[Tensor, Tensor], Tensor]
_BATCH_COUPLED = (nn.modules.batchnorm._BatchNorm,)


def coupled(model: nn.Module) -> bool:
    """Whether the samples of a batch interact in training, as in batch normalisation."""
    return any(isinstance(module, _BATCH_COUPLED) for module in model.modules())


@dataclass(frozen=True)
class Batch:
    """One batch for each row of a block.

    Args:
        inputs: (C, B, …).
        targets: (C, B, …).
        counts: (C,) how many of the B samples are real; the rest are padding.
        full: whether every count is B.
        keys: (C,) int64 addresses of the rows' dropout masks in this step.
    """

    inputs: Tensor
    targets: Tensor
    counts: Tensor
    full: bool
    keys: Tensor

    def rows(self, index: Tensor, width: int) -> Batch:
        """The batch of some of the rows, cut to a width."""
        inputs, targets = self.inputs[index, :width], self.targets[index, :width]
        return Batch(inputs, targets, self.counts[index], full=True, keys=self.keys[index])


@dataclass(frozen=True)
class Gradients:
    """What an engine finds for a block: gradients (C, *shape) and new buffers by name, and (C,) losses."""

    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
    losses_C: Tensor


class Engine(ABC):
    """Computes gradients and outputs of rows of one network.

    Args:
        model: the network; it is copied.
        loss: one loss a sample.
        device: where to compute.
        chunk: how many rows to take at once.
    """

    name: str

    def __init__(self, model: nn.Module, loss: Loss, device: torch.device, chunk: int) -> None:
        self.model = copy.deepcopy(model).to(device)
        self.keys = address_dropout(self.model)
        self.layout = Layout.of(self.model)
        self.model.train()
        self.evaluator = copy.deepcopy(self.model).eval()
        self.loss, self.device, self.chunk = loss, device, chunk
        self.coupled = coupled(model)
        self.batches = 0  # how many were computed: a sign of life
        self._dtypes = {name: b.dtype for name, b in self.model.state_dict().items() if not b.is_floating_point()}

    def split(self, views: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The parameters and the buffers among named views."""
        parameters = {name: views[name] for name in self.layout.parameter_names}
        return parameters, {name: view for name, view in views.items() if name not in parameters}

    def fresh(self, buffers: dict[str, Tensor]) -> dict[str, Tensor]:
        """Copies of the buffers that a network may change, whole numbers and masks in the type that it expects."""
        return {name: b.to(self._dtypes.get(name, b.dtype), copy=True) for name, b in buffers.items()}

    def answer(self, views: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """(B, …) what the network of one row answers in evaluation mode."""
        parameters, buffers = self.split(views)
        outputs: Tensor = functional_call(self.evaluator, {**parameters, **self.fresh(buffers)}, (inputs,))
        return outputs

    @abstractmethod
    def gradients(self, views: dict[str, Tensor], batch: Batch) -> Gradients:
        """The gradient of each row's mean loss over its own batch."""

    @abstractmethod
    def outputs(self, views: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """(C, B, …) what each row's network answers to the same (B, …) inputs, in evaluation mode."""

    @abstractmethod
    def own_outputs(self, views: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """(C, B, …) what each row's network answers to its own of the (C, B, …) inputs, in evaluation mode."""


class SequentialEngine(Engine):
    """One row after another, as a plain training loop would."""

    name = "sequential"

    def __init__(self, model: nn.Module, loss: Loss, device: torch.device, chunk: int) -> None:
        super().__init__(model, loss, device, chunk)
        self._slots = _slots(self.model)
        self._bound: dict[str, Tensor] | None = None
        self._leaves: dict[str, nn.Parameter] = {}
        self._draws: bool | None = None

    def gradients(self, views: dict[str, Tensor], batch: Batch) -> Gradients:
        """Ordinary autograd on each row in turn."""
        if len(batch.counts) == 1:
            parameters, buffers, loss = self._row(views, 0, batch)
            return Gradients(_lifted(parameters), _lifted(buffers), loss.unsqueeze(0))
        parts, buffered, losses = zip(*(self._row(views, row, batch) for row in range(len(batch.counts))), strict=True)
        self._bound = None
        return Gradients(_stacked(parts), _stacked(buffered), torch.stack(losses))

    def _row(
        self, views: dict[str, Tensor], row: int, batch: Batch
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
        count = batch.inputs.shape[1] if batch.full else int(batch.counts[row])
        if row or self._bound is not views:
            self._bind(views, row)
        buffers = {name: view[row] for name, view in self.split(views)[1].items()}
        fresh = self.fresh(buffers)
        keys = dict.fromkeys(self.keys, batch.keys[row])
        with self._drawing(batch.keys[row]):
            inputs = batch.inputs[row, :count]
            outputs = functional_call(self.model, {**fresh, **keys}, (inputs,)) if fresh or keys else self.model(inputs)
        loss = self.loss(outputs, batch.targets[row, :count]).mean()
        found = torch.autograd.grad(loss, list(self._leaves.values()), materialize_grads=True)
        moved = {name: b.to(buffers[name].dtype) for name, b in fresh.items()}
        return dict(zip(self._leaves, found, strict=True)), moved, loss.detach()

    def _bind(self, views: dict[str, Tensor], row: int) -> None:
        """Let the network's parameters be views of a row, once for all the steps that a block takes on it."""
        self._leaves = {name: nn.Parameter(views[name][row]) for name in self.layout.parameter_names}
        for name, leaf in self._leaves.items():
            for module, attribute in self._slots[name]:
                module._parameters[attribute] = leaf
        self._bound = views

    def _drawing(self, key: Tensor) -> AbstractContextManager[object]:
        """Address torch's own generator where the network draws from it, which the first step tells."""
        if self._draws is None:
            return self._watched(int(key))
        return addressed(int(key), self.device) if self._draws else nullcontext()

    @contextmanager
    def _watched(self, key: int) -> Iterator[None]:
        with addressed(key, self.device) as source:
            before = source.get_state()
            yield
            self._draws = not torch.equal(before, source.get_state())

    @torch.no_grad()
    def outputs(self, views: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """Each row in turn."""
        rows = range(len(next(iter(views.values()))))
        return torch.stack([self.answer({name: view[row] for name, view in views.items()}, inputs) for row in rows])

    @torch.no_grad()
    def own_outputs(self, views: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """Each row in turn."""
        answers = [self.answer({name: view[row] for name, view in views.items()}, x) for row, x in enumerate(inputs)]
        return torch.stack(answers)


def _slots(model: nn.Module) -> dict[str, list[tuple[nn.Module, str]]]:
    """Where each parameter stands in a network; one that is shared stands in several places."""
    first = {id(parameter): name for name, parameter in model.named_parameters()}
    slots: dict[str, list[tuple[nn.Module, str]]] = {name: [] for name in first.values()}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        owner, _, attribute = name.rpartition(".")
        slots[first[id(parameter)]].append((model.get_submodule(owner), attribute))
    return slots


def _lifted(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.unsqueeze(0) for name, tensor in tensors.items()}


def _stacked(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


class StackedEngine(Engine):
    """All rows of a block at once, by torch.func's vmap and grad."""

    name = "stacked"

    def _loss(
        self,
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        inputs: Tensor,
        targets: Tensor,
        count: Tensor,
        key: Tensor,
    ) -> tuple[Tensor, tuple[Tensor, dict[str, Tensor]]]:
        fresh = self.fresh(buffers)
        keys = dict.fromkeys(self.keys, key)
        losses = self.loss(functional_call(self.model, {**parameters, **fresh, **keys}, (inputs,)), targets)
        losses = losses.reshape(len(inputs), -1).mean(1)
        real = torch.arange(len(inputs), device=inputs.device) < count
        loss = torch.where(real, losses, 0).sum() / count
        return loss, (loss.detach(), {name: b.to(buffers[name].dtype) for name, b in fresh.items()})

    def gradients(self, views: dict[str, Tensor], batch: Batch) -> Gradients:
        """One vmap over the rows; rows whose batches differ in size go apart where samples of a batch interact."""
        if self.coupled and not batch.full:
            return self._by_size(views, batch)
        parameters, buffers = self.split(views)
        stacked = vmap(grad(self._loss, has_aux=True))
        found, (losses_C, fresh) = stacked(parameters, buffers, batch.inputs, batch.targets, batch.counts, batch.keys)
        return Gradients(found, fresh, losses_C)

    def _by_size(self, views: dict[str, Tensor], batch: Batch) -> Gradients:
        out = {name: torch.empty_like(view) for name, view in views.items()}
        losses_C = next(iter(views.values())).new_empty(len(batch.counts))
        for width in batch.counts.unique().tolist():
            index = (batch.counts == width).nonzero().flatten()
            part = self.gradients({n: v[index] for n, v in views.items()}, batch.rows(index, width))
            for name, tensor in {**part.parameters, **part.buffers}.items():
                out[name][index] = tensor
            losses_C[index] = part.losses_C
        return Gradients(*self.split(out), losses_C)

    @torch.no_grad()
    def outputs(self, views: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """One vmap over the rows."""
        answers: Tensor = vmap(self.answer, in_dims=(0, None))(views, inputs)
        return answers

    @torch.no_grad()
    def own_outputs(self, views: dict[str, Tensor], inputs: Tensor) -> Tensor:
        """One vmap over the rows and their inputs."""
        answers: Tensor = vmap(self.answer)(views, inputs)
        return answers
