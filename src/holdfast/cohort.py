"""The rows that a process hosts: their data, and the computing on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.batches import BatchTable, batch_table, batches_per_epoch
from holdfast.engines import Batch, Engine, Gradients
from holdfast.optimizer import Optimizer, RowOptimizer
from holdfast.seeding import address
from holdfast.types import BoolArray, ExtraGradient, FloatArray, IntArray, Rows

__all__ = ["Cohort", "Data", "Objective"]

EVALUATION_BATCH = 1000
GATHERED_BYTES = 2**22
"""How much is gathered at once: the batches of several steps of few rows, that of one step of many."""

Poison = Callable[[Tensor, Tensor, int | None], tuple[Tensor, Tensor]]
PerSample = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Data:
    """The samples, once, on the device, and who holds which of them.

    Args:
        train: inputs (S, …) and targets (S, …).
        test: the same of the test samples.
        shards: for each node its indices into the training samples.
        metrics: by name, one number a sample; ``loss`` among them.
        classes: how many classes there are; ``None`` in a regression.
        seed: the experiment's seed.
    """

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    shards: Sequence[IntArray]
    metrics: Mapping[str, PerSample]
    classes: int | None
    seed: int

    @property
    def sample_bytes(self) -> int:
        """The bytes of one sample's inputs."""
        inputs = self.train[0]
        return inputs[:1].numel() * inputs.element_size()


@dataclass(frozen=True)
class Cohort:
    """Some nodes in one round, hosted together; every algorithm computes through it.

    Args:
        data: the samples.
        engine: how gradients are computed; recorded, for it may change the last bits.
        nodes_K: the nodes, one a row.
        round: the round, from 1; it addresses the batches.
        work_K: the share of the local work that each node gets done.
        poison: what the poisoned nodes make of their samples.
        poisoned_K: which nodes are poisoned.
    """

    data: Data
    engine: Engine
    nodes_K: IntArray
    round: int = 1
    work_K: FloatArray = field(default_factory=lambda: np.ones(0))
    poison: Poison | None = None
    poisoned_K: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def __len__(self) -> int:
        return len(self.nodes_K)

    def rows(self, index: Rows) -> Cohort:
        """The cohort of some of the rows."""
        return replace(self, nodes_K=self.nodes_K[index], work_K=self.work[index], poisoned_K=self.poisoned[index])

    @property
    def work(self) -> FloatArray:
        """(K,) the share of the local work that each node gets done; 1 unless a fault says otherwise."""
        return self.work_K if len(self.work_K) else np.ones(len(self))

    @property
    def poisoned(self) -> BoolArray:
        """(K,) which nodes train on poisoned samples."""
        return self.poisoned_K if len(self.poisoned_K) else np.zeros(len(self), dtype=bool)

    @property
    def sizes_K(self) -> IntArray:
        """(K,) how many training samples each node has."""
        return np.array([len(shard) for shard in self.shards], dtype=np.int64)

    @cached_property
    def shards(self) -> list[IntArray]:
        """Each node's indices into the training samples; asked for once, for a lazy partition draws them."""
        return [np.asarray(self.data.shards[node]) for node in self.nodes_K.tolist()]

    @property
    def columns(self) -> int:
        """D: how many numbers a row has."""
        return self.engine.layout.columns

    def samples(self) -> Tensor:
        """(K,) float32: how many training samples each node has, as weights."""
        return torch.from_numpy(self.sizes_K).to(self.engine.device, torch.float32)

    def learning_rates(self, lr_K: Tensor) -> Tensor:
        """What to multiply a `gradient` with: (K, 1) lr, or (K, D) with 1 for the buffers where there are any."""
        layout = self.engine.layout
        if layout.parameters == layout.columns:
            return lr_K.unsqueeze(1)
        rates_KD = torch.ones(len(lr_K), layout.columns, device=lr_K.device)
        rates_KD[:, : layout.parameters] = lr_K.unsqueeze(1)
        return rates_KD

    def gradient(
        self,
        x_KD: Tensor,
        *,
        batch_size: int | None = 32,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """The gradient of each row's loss on its node's batch of this round.

        Within a round every call sees the same batch. Buffers are columns too: there the result holds the decrease of
        the buffer in the forward pass, so that ``x - rates * gradient`` moves it.

        Args:
            x_KD: (K, D) rows.
            batch_size: in samples; ``None`` takes all samples of the node.
            clip_norm: greatest Euclidean norm of a row's gradient.
            clip_value: greatest absolute value of an element.
            l1: λ of the penalty λΣ|w|.
            l2: λ of the penalty λΣw².

        Returns:
            (K, D) gradients and (K,) losses.
        """
        gradient_KD = torch.empty_like(x_KD, memory_format=torch.contiguous_format)
        losses_K = x_KD.new_empty(len(self))
        once_K = np.ones(len(self), dtype=np.int64)
        objective = Objective(None, clip_norm, clip_value, l1, l2)
        for rows in self._chunks(np.arange(len(self))):
            views = self.engine.layout.views(x_KD[rows])
            batch = next(self.rows(rows)._batches(once_K[rows], once_K[rows], batch_size))
            found = objective.gradients(self.engine, views, batch)
            decrease = {name: views[name] - buffer for name, buffer in found.buffers.items()}
            parts = {**found.parameters, **decrease}
            gradient_KD[rows] = torch.cat([parts[name].reshape(len(found.losses_C), -1) for name in views], dim=1)
            losses_K[rows] = found.losses_C
        return gradient_KD, losses_K

    def train(
        self,
        x_KD: Tensor,
        optimizer: Optimizer,
        *,
        epochs: int | None = None,
        steps: int | None = None,
        batch_size: int | None = 32,
        extra_gradient: ExtraGradient | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """Local training of each row on its node's samples, with a fresh optimiser.

        Args:
            x_KD: (K, D) rows to start from; they are not changed.
            optimizer: applied to the parameters of the stacked rows.
            epochs: passes over the node's samples; give either epochs or steps.
            steps: batches.
            batch_size: in samples; ``None`` takes all samples of the node.
            extra_gradient: ``f(x_CD, rows) -> (C, D)`` added to the gradient of the rows ``rows``, such as FedProx's
                μ(x - w); its buffer columns are ignored.
            clip_norm: greatest Euclidean norm of a row's gradient.
            clip_value: greatest absolute value of an element.
            l1: λ of the penalty λΣ|w|.
            l2: λ of the penalty λΣw².

        Returns:
            (K, D) trained rows and (K,) training losses, each the mean over its row's batches.
        """
        whole_K = self._steps(epochs, steps, batch_size)
        steps_K = np.maximum(1, np.ceil(whole_K * self.work - 1e-9)).astype(np.int64)
        y_KD = torch.empty_like(x_KD, memory_format=torch.contiguous_format)
        losses_K = x_KD.new_empty(len(self))
        objective = Objective(extra_gradient, clip_norm, clip_value, l1, l2)
        for rows in self._chunks(np.argsort(-steps_K, kind="stable")):
            batches = self.rows(rows)._batches(steps_K[rows], whole_K[rows], batch_size)
            y_KD[rows], losses_K[rows] = _train_block(self.engine, x_KD[rows], rows, batches, optimizer, objective)
        return y_KD, losses_K

    def evaluate(self, x_KD: Tensor, split: str = "test") -> dict[str, Tensor]:
        """Each metric of each row's model, averaged over all test (or training) samples.

        Returns:
            By metric, (K,) values.
        """
        return self.judge(x_KD, self.data.test if split == "test" else self.data.train, self.data.metrics)

    def judge(
        self, x_KD: Tensor, samples: tuple[Tensor, Tensor], metrics: Mapping[str, PerSample]
    ) -> dict[str, Tensor]:
        """Each of some metrics of each row's model, averaged over some samples, inputs and targets.

        Returns:
            By metric, (K,) values.
        """
        inputs, targets = samples
        totals = {name: torch.zeros(len(x_KD), dtype=torch.float64) for name in metrics}
        for name, start, values in self._per_sample(x_KD, inputs, targets, metrics):
            totals[name][start : start + len(values)] += values.double().sum(1).cpu()
        return {name: (total / len(inputs)).float() for name, total in totals.items()}

    def evaluate_local(self, x_D: Tensor) -> dict[str, Tensor]:
        """Each metric of one model on each node's own training samples.

        Returns:
            By metric, (K,) values.
        """
        inputs, targets = self.data.train
        pieces: dict[str, list[Tensor]] = {name: [] for name in self.data.metrics}
        for name, _, values in self._per_sample(x_D.unsqueeze(0), inputs, targets, self.data.metrics):
            pieces[name].append(values[0].cpu())
        whole = {name: torch.cat(values) for name, values in pieces.items()}
        return {
            name: torch.stack([values[torch.from_numpy(s)].mean() for s in self.shards])
            for name, values in whole.items()
        }

    def _per_sample(
        self, x_KD: Tensor, inputs: Tensor, targets: Tensor, metrics: Mapping[str, PerSample]
    ) -> Iterator[tuple[str, int, Tensor]]:
        """(metric, first row, (C, B) values) for each block of rows and samples."""
        for rows in self._chunks(np.arange(len(x_KD))):
            views = self.engine.layout.views(x_KD[rows])
            for start in range(0, len(inputs), EVALUATION_BATCH):
                there = slice(start, start + EVALUATION_BATCH)
                outputs = self.engine.outputs(views, inputs[there])
                for name, metric in metrics.items():
                    values = torch.stack([_per_row(metric(answer, targets[there])) for answer in outputs])
                    yield name, int(rows.start if isinstance(rows, slice) else rows[0]), values

    def _steps(self, epochs: int | None, steps: int | None, batch_size: int | None) -> IntArray:
        """(K,) how many batches each row would train on, were nothing to slow it."""
        if epochs is None:
            return np.full(len(self), steps or 1)
        return batches_per_epoch(self.sizes_K, batch_size) * epochs

    def _chunks(self, order: IntArray) -> Iterator[Rows]:
        """The rows in blocks of the engine's width, as slices where the order is the natural one."""
        natural = bool((order == np.arange(len(order))).all())
        for start in range(0, len(order), self.engine.chunk):
            stop = min(start + self.engine.chunk, len(order))
            yield slice(start, stop) if natural else order[start:stop]

    def _batches(self, steps_C: IntArray, whole_C: IntArray, batch_size: int | None) -> Iterator[Batch]:
        """The batches of each step, of the rows that still take it; rows are sorted by their number of steps."""
        table = batch_table(self.data.seed, self.nodes_K, self.sizes_K, (self.round - 1) * whole_C, steps_C, batch_size)
        counts, samples = self._reached(table.counts, whole_C), self._global(table)
        rows, steps, width = samples.shape
        full_T = ((counts == width) | (counts == 0)).all(0).tolist()
        active_T = (steps_C[:, None] > np.arange(steps)).sum(0).tolist()
        keys, counts = self._keys(steps), counts.to(self.engine.device)
        together = max(1, GATHERED_BYTES // (rows * width * self.data.sample_bytes))
        for first in range(0, steps, together):
            inputs, targets = self._gather(samples[: active_T[first], first : first + together])
            for step in range(first, min(first + together, steps)):
                here, at = slice(active_T[step]), step - first
                yield Batch(inputs[here, at], targets[here, at], counts[here, step], full_T[step], keys[here, step])

    def _keys(self, steps: int) -> Tensor:
        """(C, T) the addresses of each row's dropout masks."""
        found = address(self.data.seed, "dropout", self.nodes_K[:, None], self.round, np.arange(steps))
        return torch.from_numpy(found.view(np.int64)).to(self.engine.device)

    def _reached(self, counts: Tensor, whole_C: IntArray) -> Tensor:
        """(C, T) sizes of the batches; of a single batch a straggler gets through a part."""
        share_C = np.where(whole_C == 1, self.work, 1.0)
        reached = torch.from_numpy(np.ceil(counts.numpy() * share_C[:, None] - 1e-9)).long()
        if self.engine.coupled:  # statistics of a batch need two samples
            reached = reached.maximum(counts.clamp(max=2))
        return reached

    def _global(self, table: BatchTable) -> Tensor:
        """(C, T, B) indices into the training samples."""
        rows = [torch.from_numpy(shard)[at] for shard, at in zip(self.shards, table.samples, strict=True)]
        return torch.stack(rows).to(self.engine.device)

    def _gather(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs and targets of some samples, of any shape, as the nodes see them."""
        inputs, targets = (_pick(tensor, samples) for tensor in self.data.train)
        bad = np.flatnonzero(self.poisoned[: len(samples)]) if self.poison else ()
        if self.poison and len(bad):
            inputs[bad], targets[bad] = self.poison(inputs[bad], targets[bad], self.data.classes)
        return inputs, targets


def _pick(tensor: Tensor, index: Tensor) -> Tensor:
    """``tensor[index]``, but by whole rows, which is several times faster."""
    return tensor.index_select(0, index.flatten()).view(*index.shape, *tensor.shape[1:])


def _per_row(values: Tensor) -> Tensor:
    return values.reshape(len(values), -1).float().mean(1)


@dataclass(frozen=True)
class Objective:
    """What is added to the gradient of the loss, and how the sum is clipped; see `Cohort.train`."""

    extra_gradient: ExtraGradient | None
    clip_norm: float | None
    clip_value: float | None
    l1: float
    l2: float

    def gradients(
        self, engine: Engine, views: dict[str, Tensor], batch: Batch, extra_CD: Tensor | None = None
    ) -> Gradients:
        """The engine's gradients with penalties and the extra term, clipped by value and then by norm."""
        found = engine.gradients(views, batch)
        engine.batches += 1
        extra = engine.layout.views(extra_CD) if extra_CD is not None else {}
        gradients = {}
        for name, gradient in found.parameters.items():  # never in place: autograd may hand out one tensor twice
            if self.l1:
                gradient = gradient.add(views[name].sign(), alpha=self.l1)
            if self.l2:
                gradient = gradient.add(views[name], alpha=2 * self.l2)
            if extra:
                gradient = gradient.add(extra[name])
            if self.clip_value is not None:
                gradient = gradient.clamp(-self.clip_value, self.clip_value)
            gradients[name] = gradient
        if self.clip_norm is not None:
            gradients = _clip_norm(gradients, self.clip_norm)
        return replace(found, parameters=gradients)


def _clip_norm(gradients: dict[str, Tensor], greatest: float) -> dict[str, Tensor]:
    """The gradients, each row's scaled to at most a Euclidean norm."""
    squares_C = torch.stack([g.reshape(len(g), -1).square().sum(1) for g in gradients.values()]).sum(0)
    factor_C = (greatest / (squares_C.sqrt() + 1e-6)).clamp(max=1.0)
    return {name: g * factor_C.view(-1, *[1] * (g.ndim - 1)) for name, g in gradients.items()}


def _train_block(
    engine: Engine,
    start_CD: Tensor,
    rows: Rows,
    batches: Iterator[Batch],
    optimizer: Optimizer,
    objective: Objective,
) -> tuple[Tensor, Tensor]:
    """The trained rows of one chunk and their mean losses; the batches cover ever fewer of its first rows."""
    x_CD = start_CD.clone(memory_format=torch.contiguous_format)
    views = engine.layout.views(x_CD)
    stepper = RowOptimizer(optimizer, [views[name] for name in engine.layout.parameter_names])
    losses: list[Tensor] = []
    for batch in batches:
        active = len(batch.counts)
        some = views if active == len(x_CD) else {name: view[:active] for name, view in views.items()}
        extra = objective.extra_gradient
        extra_CD = extra(x_CD[:active], _first(rows, active)) if extra else None
        found = objective.gradients(engine, some, batch, extra_CD)
        stepper.shrink(active)
        stepper.step(list(found.parameters.values()))
        for name, buffer in found.buffers.items():
            some[name].copy_(buffer)
        losses.append(found.losses_C)
    return x_CD, _mean_of_each(losses, len(x_CD))


def _mean_of_each(losses: list[Tensor], rows: int) -> Tensor:
    """(C,) the mean of what there is of each row, in lists that grow shorter."""
    padded = [loss if len(loss) == rows else nn.functional.pad(loss, (0, rows - len(loss))) for loss in losses]
    counts_C = (torch.tensor([len(loss) for loss in losses]).unsqueeze(1) > torch.arange(rows)).sum(0)
    return torch.stack(padded).sum(0) / counts_C.to(padded[0])


def _first(rows: Rows, count: int) -> Rows:
    return slice(rows.start, rows.start + count) if isinstance(rows, slice) else rows[:count]
