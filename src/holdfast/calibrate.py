"""Which engine is the faster for this model on this machine, and how many rows to take at once."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.cohort import Cohort, Data
from holdfast.dropout import addressed
from holdfast.engines import Engine, SequentialEngine, StackedEngine
from holdfast.errors import InputError
from holdfast.optimizer import Optimizer

__all__ = ["Timing", "choose_engine", "row_bytes"]

COPIES_OF_A_ROW = 6
"""A row in training: itself, its gradient, up to two moments, its start, and its update."""
PROBE_STEPS = 2
PROBED_NODES = 1000
"""How many nodes are looked at for the size of a batch that takes all samples."""
WORTH_TRYING = 1.5
"""A wider block is not tried once one has cost this much more than the best so far."""


@dataclass(frozen=True)
class Timing:
    """How long one step of one row took."""

    engine: str
    chunk: int
    seconds_per_row_step: float


def row_bytes(model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], batch: tuple[Tensor, Tensor]) -> int:
    """The memory that one row in training takes: copies of its numbers, and what autograd saves of one batch."""
    saved = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal saved
        saved += tensor.numel() * tensor.element_size()
        return tensor

    trial = copy.deepcopy(model).to(batch[0].device)  # a forward pass moves the statistics of batch normalisation
    hooks = torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor)
    with addressed(0, batch[0].device), hooks:
        loss(trial(batch[0]), batch[1]).mean()
    numbers = sum(p.numel() for p in model.parameters())
    return COPIES_OF_A_ROW * 4 * numbers + 2 * saved


def _time(engine: Engine, data: Data, x_D: Tensor, nodes: int, batch_size: int | None) -> Timing:
    cohort = Cohort(data, engine, np.arange(nodes, dtype=np.int64), round=1)
    x_KD, optimizer = x_D.expand(nodes, -1), Optimizer(name="sgd", lr=1e-3)
    seconds = []
    for _ in range(3):  # the first of them warms up
        start = time.perf_counter()
        cohort.train(x_KD, optimizer, steps=PROBE_STEPS, batch_size=batch_size)
        seconds.append(time.perf_counter() - start)
    return Timing(engine.name, engine.chunk, min(seconds[1:]) / (nodes * PROBE_STEPS))


def _widths(rows: int, most: int) -> list[int]:
    """Doubling from 16 up to the rows there are and the memory allows, each so that the chunks come out even.

    Example:
        >>> _widths(rows=100, most=1000)
        [15, 25, 50, 100]
    """
    most = max(1, min(rows, most))
    wanted = [width for width in (16 * 2**k for k in range(12)) if width < most] + [most]
    return sorted({-(-rows // -(-rows // width)) for width in wanted})


def choose_engine(
    model: nn.Module,
    data: Data,
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    wanted: Literal["auto", "stacked", "sequential"],
    chunk: int | None,
    rows: int,
    batch_size: int | None,
    memory: int,
    device: torch.device,
) -> tuple[Engine, tuple[Timing, ...]]:
    """The engine to use, and the timings on which the choice rests (none where there was nothing to choose).

    Args:
        model: the network.
        data: samples and shards; the first few nodes are the probe.
        loss: one loss a sample.
        wanted: the engine that the experiment asks for.
        chunk: how many rows at once, if the experiment says so.
        rows: how many rows take part in a round.
        batch_size: in samples; ``None`` takes all samples of a node.
        memory: bytes that one chunk of rows may take.
        device: where to compute.

    Raises:
        InputError: the experiment insists on the stacked engine, and torch.func cannot run the network.
    """
    if wanted == "sequential" or (wanted == "auto" and rows == 1):
        return SequentialEngine(model, loss, device, chunk or 1), ()
    if wanted == "stacked":
        _check_stackable(model, data, loss, device)
        if chunk:
            return StackedEngine(model, loss, device, chunk), ()
    size = batch_size or int(data.sizes(min(rows, PROBED_NODES)).max())
    probe = (data.train[0][:size], data.train[1][:size])
    most = chunk or max(1, memory // row_bytes(model, loss, probe))
    widths = [chunk] if chunk else _widths(rows, most)
    candidates: list[Engine] = [SequentialEngine(model, loss, device, 1)] if wanted == "auto" else []
    candidates += [StackedEngine(model, loss, device, width) for width in widths]
    return _fastest(candidates, data, rows, batch_size)


def _check_stackable(
    model: nn.Module, data: Data, loss: Callable[[Tensor, Tensor], Tensor], device: torch.device
) -> None:
    """Refuse a network that torch.func cannot run, such as one that branches on values."""
    engine = StackedEngine(model, loss, device, 1)
    one = Cohort(data, engine, np.zeros(1, dtype=np.int64))
    try:
        one.gradient(engine.layout.row(engine.model).unsqueeze(0), batch_size=2)
    except Exception as error:  # whatever torch.func raises
        remedy = f"It raised {type(error).__name__}: {error} Use engine: auto."
        raise InputError("engine", "be one that the network can run on", "stacked", remedy) from error


def _fastest(
    candidates: list[Engine], data: Data, rows: int, batch_size: int | None
) -> tuple[Engine, tuple[Timing, ...]]:
    if len(candidates) == 1:
        return candidates[0], ()
    x_D = candidates[0].layout.row(candidates[0].model)
    timings: list[Timing] = []
    for engine in candidates:
        nodes = min(rows, 4 if engine.chunk == 1 else engine.chunk)
        try:
            timings.append(_time(engine, data, x_D, nodes, batch_size))
        except Exception:  # torch.func refuses some networks, such as those that branch on values
            if not timings:
                raise
            break
        if timings[-1].seconds_per_row_step > WORTH_TRYING * min(t.seconds_per_row_step for t in timings):
            break
    best = min(range(len(timings)), key=lambda i: timings[i].seconds_per_row_step)
    return candidates[best], tuple(timings)
