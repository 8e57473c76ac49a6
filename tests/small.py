"""Cohorts of a few nodes with a few samples each, for the tests of the computing core."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.cohort import Cohort, Data
from holdfast.engines import Engine, SequentialEngine, StackedEngine
from holdfast.models import Cnn, Logistic, Mlp
from holdfast.problems.base import accuracy, cross_entropy

ENGINES: tuple[type[Engine], ...] = (SequentialEngine, StackedEngine)
CLASSES = 3

MODELS: dict[str, Callable[[], nn.Module]] = {
    "logistic": lambda: Logistic().build((5,), CLASSES),
    "mlp": lambda: Mlp(hidden=(4,)).build((5,), CLASSES),
    "dropout": lambda: Mlp(hidden=(8,), dropout=0.4).build((5,), CLASSES),
    "batch_norm": lambda: nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, CLASSES)),
    "cnn": lambda: Cnn(channels=(2,), kernel=3, hidden=(4,)).build((1, 6, 6), CLASSES),
    "cnn_batch_norm": lambda: Cnn(channels=(2,), kernel=3, hidden=(), batch_norm=True).build((1, 6, 6), CLASSES),
}


def shape_of(name: str) -> tuple[int, ...]:
    """The shape of one input of a model of `MODELS`."""
    return (1, 6, 6) if name.startswith("cnn") else (5,)


def network(name: str) -> nn.Module:
    """A model with the same first values every time."""
    return seeded(MODELS[name])


def seeded(make: Callable[[], nn.Module], seed: int = 3) -> nn.Module:
    """What a constructor makes under a seed of its own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def samples(
    sizes: Sequence[int], shape: tuple[int, ...] = (5,), dtype: torch.dtype = torch.float64, **own: Any
) -> Data:
    """Random samples in shards of these sizes that overlap nowhere and stand in no order."""
    source = torch.Generator().manual_seed(11)
    count = sum(sizes)
    inputs = torch.randn(count, *shape, generator=source, dtype=torch.float64).to(dtype)
    targets = torch.randint(CLASSES, (count,), generator=source)
    order = torch.randperm(count, generator=source).numpy()
    shards = np.split(order, np.cumsum(sizes)[:-1])
    metrics: Mapping[str, Any] = {"loss": cross_entropy, "accuracy": accuracy}
    fields = {"train": (inputs, targets), "test": (inputs[: count // 2], targets[: count // 2])}
    return Data(**{**fields, "shards": shards, "metrics": metrics, "classes": CLASSES, "seed": 7, **own})


def cohort(
    data: Data,
    model: nn.Module,
    engine: type[Engine] = SequentialEngine,
    chunk: int = 100,
    nodes: Sequence[int] | None = None,
    round: int = 1,
    **own: Any,
) -> Cohort:
    """The nodes (all of them by default), computing with an engine."""
    nodes_K = np.arange(len(data.shards)) if nodes is None else np.array(nodes, dtype=np.int64)
    made = engine(model, data.metrics["loss"], torch.device("cpu"), chunk)
    return Cohort(data, made, nodes_K, round, **own)


def rows(k: Cohort, model: nn.Module, dtype: torch.dtype = torch.float64) -> Tensor:
    """(K, D) rows near the model's values, each different; buffers as they are."""
    layout = k.engine.layout
    x_KD = layout.row(model).to(dtype).repeat(len(k), 1)
    p, source = layout.parameters, torch.Generator().manual_seed(2)
    noise = torch.randn(100, p, generator=source, dtype=torch.float64)[torch.from_numpy(k.nodes_K)]
    x_KD[:, :p] += 0.1 * noise.to(dtype)
    return x_KD


def load(model: nn.Module, k: Cohort, x_D: Tensor) -> nn.Module:
    """A network in float64 that holds the values of a row."""
    named = {name: view[0] for name, view in k.engine.layout.views(x_D.unsqueeze(0)).items()}
    model = model.double()
    model.load_state_dict(named, strict=False)
    return model


def unload(model: nn.Module, k: Cohort) -> Tensor:
    """The row of a network, in float64."""
    kept = model.state_dict()
    return torch.cat([kept[name].detach().double().flatten() for name in k.engine.layout.shapes])
