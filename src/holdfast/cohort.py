"""The rows that a process hosts: their data, and the computing on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Unpack

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from holdfast.batches import BatchTable, batch_table, batches_per_epoch
from holdfast.data import Data, PerSample
from holdfast.engines import Batch, Engine
from holdfast.optimizer import Optimizer, alike
from holdfast.partitions.shards import Parts
from holdfast.seeding import address
from holdfast.training import Objective, Training, train_block
from holdfast.types import BoolArray, ExtraGradient, FloatArray, IntArray, Rows, State

__all__ = ["Cohort", "Data"]

EVALUATION_BATCH = 1000
LEAST_JUDGED = 32
"""How many samples of a row are judged at once, at least, however many rows there are."""
GATHERED_BYTES = 2**22
"""How much is gathered at once: the batches of several steps of few rows, that of one step of many."""

Poison = Callable[[Tensor, Tensor, int | None], tuple[Tensor, Tensor]]


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
        held: the samples of those nodes that have not only their own in this round.
    """

    data: Data
    engine: Engine
    nodes_K: IntArray
    round: int = 1
    work_K: FloatArray = field(default_factory=lambda: np.ones(0))
    poison: Poison | None = None
    poisoned_K: BoolArray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    held: Mapping[int, IntArray] = field(default_factory=dict)

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
        own = self.data.shards
        if isinstance(own, Parts) and self.data.window is None and not self.held:
            return own.sizes[self.nodes_K]  # a lazy partition tells without drawing them
        return np.array([len(shard) for shard in self.shards], dtype=np.int64)

    @cached_property
    def shards(self) -> list[IntArray]:
        """Each node's indices into the training samples; asked for once, for a lazy partition draws them."""
        own, held = self.data.shards, self.held
        whole = (np.asarray(held[node] if node in held else own[node]) for node in self.nodes_K.tolist())
        return [self.data.at_hand(shard, self.round) for shard in whole]

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

    def train(self, x_KD: Tensor, optimizer: Optimizer, **how: Unpack[Training]) -> tuple[Tensor, Tensor]:
        """Local training of each row on its node's samples, with a fresh optimiser; the keywords are `train_on`'s.

        Returns:
            (K, D) trained rows and (K,) training losses, each the mean over its row's batches.
        """
        return self.train_on(x_KD, optimizer, None, **how)[1:]

    def train_on(
        self,
        x_KD: Tensor,
        optimizer: Optimizer,
        memory: State | None,
        *,
        epochs: int | None = None,
        steps: int | None = None,
        batch_size: int | None = 32,
        extra_gradient: ExtraGradient | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
    ) -> tuple[State, Tensor, Tensor]:
        """Local training of each row on its node's samples, with an optimiser that goes on from what it remembers.

        Args:
            x_KD: (K, D) rows to start from; they are not changed.
            optimizer: applied to the parameters of the stacked rows.
            memory: what it remembers of each row (see `Optimizer.memory`), which is not changed; ``{}`` if nothing yet,
                ``None`` for a fresh optimiser of which nothing is remembered.
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
            The memory, (K, D) trained rows and (K,) training losses, each the mean over its row's batches.
        """
        if memory == {}:
            memory = optimizer.memory(x_KD[:, : self.engine.layout.parameters])
        memory = {key: table.clone() for key, table in (memory or {}).items()}
        whole_K = self._steps(epochs, steps, batch_size)
        steps_K = self.steps(epochs, steps, batch_size)
        y_KD = torch.empty_like(x_KD, memory_format=torch.contiguous_format)
        losses_K = x_KD.new_empty(len(self))
        objective = Objective(extra_gradient, clip_norm, clip_value, l1, l2)
        for rows in self._blocks(steps_K, memory):
            batches = self.rows(rows)._batches(steps_K[rows], whole_K[rows], batch_size)
            some = {key: table[rows] for key, table in memory.items()}
            trained = train_block(self.engine, x_KD[rows], rows, batches, optimizer, objective, some)
            y_KD[rows], losses_K[rows] = trained
            for key, table in some.items():
                memory[key][rows] = table
        return memory, y_KD, losses_K

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
        for name, start, values in self.per_sample(x_KD, inputs, targets, metrics):
            totals[name][start : start + len(values)] += values.double().sum(1).cpu()
        return {name: (total / len(inputs)).float() for name, total in totals.items()}

    def evaluate_local(self, x_KD: Tensor, *, poisoned: bool = False) -> dict[str, Tensor]:
        """Each metric of each row's model on its node's own training samples.

        Args:
            x_KD: (K, D) rows, or (1, D) one model for all nodes, which takes fewer and larger batches.
            poisoned: whether a poisoned node judges what it makes of its samples.

        Returns:
            By metric, (K,) values.
        """
        single, found = len(x_KD) == 1, {name: list[Tensor]() for name in self.data.metrics}
        group_K = np.cumsum(self.sizes_K) // EVALUATION_BATCH if single else np.arange(len(self))
        for rows in np.split(np.arange(len(self)), np.flatnonzero(np.diff(group_K)) + 1):
            inputs, targets = self._own(rows, poisoned)
            values = {name: list[Tensor]() for name in found}
            for name, _, some in self.per_sample(x_KD if single else x_KD[rows], inputs, targets, self.data.metrics):
                values[name].append(some[0].cpu())
            for name, parts in values.items():
                found[name] += [own.mean() for own in torch.cat(parts).split(self.sizes_K[rows].tolist())]
        return {name: torch.stack(means) for name, means in found.items()}

    def _own(self, rows: IntArray, poisoned: bool) -> tuple[Tensor, Tensor]:
        """The inputs and targets of all samples of some nodes, node after node."""
        samples = []
        for row in rows.tolist():
            at = torch.from_numpy(self.shards[row]).to(self.engine.device)
            inputs, targets = (tensor.index_select(0, at) for tensor in self.data.train)
            if poisoned and self.poison and self.poisoned[row]:
                inputs, targets = self.poison(inputs, targets, self.data.classes)
            samples.append((inputs, targets))
        inputs_of, targets_of = zip(*samples, strict=True)
        return torch.cat(inputs_of), torch.cat(targets_of)

    def hardest(self, x_KD: Tensor, count: int) -> Tensor:
        """(K, n) int32: each node's own samples of greatest loss in its row's model, and -1 where it has fewer."""
        whole = (np.asarray(self.data.shards[node]) for node in self.nodes_K.tolist())
        shards = [self.data.at_hand(shard, self.round) for shard in whole]
        sizes_K = np.array([len(shard) for shard in shards], dtype=np.int64)
        found_Kn = torch.full((len(self), count), -1, dtype=torch.int32, device=x_KD.device)
        for rows in self._chunks(np.argsort(-sizes_K, kind="stable")):
            own = [torch.from_numpy(shards[row]) for row in np.arange(len(self))[rows].tolist()]
            samples_CS = pad_sequence(own, batch_first=True, padding_value=-1).to(x_KD.device)
            losses_CS = self.rows(rows)._losses(x_KD[rows], samples_CS)
            order_CS = losses_CS.sort(dim=1, descending=True, stable=True).indices
            hardest_Cn = samples_CS.gather(1, order_CS[:, :count])
            found_Kn[rows, : hardest_Cn.shape[1]] = hardest_Cn.int()
        return found_Kn

    def _losses(self, x_CD: Tensor, samples_CS: Tensor) -> Tensor:
        """(C, S) the loss of each row's model on samples of its node, which are fewer for later rows; -∞ where none."""
        views, counts_C = self.engine.layout.views(x_CD), (samples_CS >= 0).sum(1)
        losses_CS = x_CD.new_full(samples_CS.shape, -torch.inf)
        step = max(LEAST_JUDGED, EVALUATION_BATCH // len(x_CD))
        for start in range(0, samples_CS.shape[1], step):
            active, there = int((counts_C > start).sum()), slice(start, start + step)
            some = samples_CS[:active, there]
            inputs, targets = self._gather(some.clamp(min=0))
            outputs = self.engine.own_outputs({name: view[:active] for name, view in views.items()}, inputs)
            losses = _per_row(self.data.metrics["loss"](outputs.flatten(0, 1), targets.flatten(0, 1)))
            losses_CS[:active, there] = losses.view(some.shape).where(some >= 0, -torch.inf)
        return losses_CS

    def per_sample(
        self, x_KD: Tensor, inputs: Tensor, targets: Tensor, metrics: Mapping[str, PerSample]
    ) -> Iterator[tuple[str, int, Tensor]]:
        """(metric, first row, (C, B) values) for each block of rows and samples."""
        for rows in self._chunks(np.arange(len(x_KD))):
            views = self.engine.layout.views(x_KD[rows])
            step = max(LEAST_JUDGED, EVALUATION_BATCH // len(x_KD[rows]))
            for start in range(0, len(inputs), step):
                there = slice(start, start + step)
                outputs = self.engine.outputs(views, inputs[there])
                for name, metric in metrics.items():
                    values = torch.stack([_per_row(metric(answer, targets[there])) for answer in outputs])
                    yield name, int(rows.start if isinstance(rows, slice) else rows[0]), values

    def steps(self, epochs: int | None, steps: int | None, batch_size: int | None) -> IntArray:
        """(K,) how many batches each row trains on, in `train` with the same arguments; a straggler on fewer."""
        whole_K = self._steps(epochs, steps, batch_size)
        return np.maximum(1, np.ceil(whole_K * self.work - 1e-9)).astype(np.int64)

    def _steps(self, epochs: int | None, steps: int | None, batch_size: int | None) -> IntArray:
        """(K,) how many batches each row would train on, were nothing to slow it."""
        if epochs is None:
            return np.full(len(self), steps or 1)
        return batches_per_epoch(self.sizes_K, batch_size) * epochs

    def _blocks(self, steps_K: IntArray, memory: State) -> Iterator[Rows]:
        """The rows in blocks that an optimiser can serve together, the rows of most steps first."""
        for group in alike(memory, len(self)):
            yield from self._chunks(group[np.argsort(-steps_K[group], kind="stable")])

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
