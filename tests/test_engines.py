"""The stacked and the sequential engine against ordinary autograd."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from holdfast.cohort import Data
from holdfast.engines import Batch, Engine, Gradients, SequentialEngine, coupled
from holdfast.problems.base import cross_entropy

from .odd_networks import ODD
from .small import CLASSES, ENGINES, MODELS, cohort, load, rows, samples, seeded, shape_of, unload

ALL: dict[str, Callable[[], nn.Module]] = {**MODELS, **ODD}
K, B = 3, 6
engines = pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
COUNTS = pytest.mark.parametrize("counts", [[B] * K, [B, 3, 2]], ids=["full", "ragged"])


def batch(name: str, counts: list[int], dtype: torch.dtype = torch.float64) -> Batch:
    """Random samples; what is beyond the counts repeats the first."""
    source = torch.Generator().manual_seed(4)
    inputs = torch.randn(K, B, *shape_of(name), generator=source, dtype=torch.float64).to(dtype)
    targets = torch.randint(CLASSES, (K, B), generator=source)
    for row, count in enumerate(counts):
        inputs[row, count:], targets[row, count:] = inputs[row, :1], targets[row, 0]
    keys = torch.tensor([5, -(2**60), 9])
    return Batch(inputs, targets, torch.tensor(counts), full=min(counts) == B, keys=keys)


def found(name: str, engine: type[Engine], counts: list[int], dtype: torch.dtype = torch.float64) -> Gradients:
    model = seeded(ALL[name])
    k = cohort(samples([4] * K), model, engine)
    return k.engine.gradients(k.engine.layout.views(rows(k, model, dtype)), batch(name, counts, dtype))


def close(a: Gradients, b: Gradients, tolerance: float) -> None:
    for ours, theirs in ((a.parameters, b.parameters), (a.buffers, b.buffers)):
        assert list(ours) == list(theirs)
        for key in ours:
            torch.testing.assert_close(ours[key], theirs[key], rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(a.losses_C, b.losses_C, rtol=tolerance, atol=tolerance)


@engines
@COUNTS
@pytest.mark.parametrize("name", [name for name in ALL if name != "dropout"])
def test_gradients_are_autograds(name: str, engine: type[Engine], counts: list[int]) -> None:
    ours, given = found(name, engine, counts), batch(name, counts)
    for row, count in enumerate(counts):
        model = seeded(ALL[name])
        k = cohort(samples([4] * K), model, engine)
        load(model, k, rows(k, model)[row])
        loss = cross_entropy(model(given.inputs[row, :count]), given.targets[row, :count]).mean()
        loss.backward()
        assert float(ours.losses_C[row]) == pytest.approx(float(loss.detach()), abs=1e-12)
        for key, value in model.named_parameters():
            if value.requires_grad:
                expected = torch.zeros_like(value) if value.grad is None else value.grad
                torch.testing.assert_close(ours.parameters[key][row], expected, rtol=1e-9, atol=1e-9)
        after_D = unload(model, k)
        views = k.engine.layout.views(after_D.unsqueeze(0))
        for key, tensor in ours.buffers.items():
            torch.testing.assert_close(tensor[row], views[key][0], rtol=1e-9, atol=1e-9)


@COUNTS
@pytest.mark.parametrize("name", ALL)
def test_stacked_is_sequential(name: str, counts: list[int]) -> None:
    sequential, stacked = (found(name, engine, counts, torch.float32) for engine in ENGINES)
    close(stacked, sequential, 1e-5)


@engines
def test_a_dropout_mask_depends_on_its_key_alone(engine: type[Engine]) -> None:
    model = seeded(MODELS["dropout"])
    k = cohort(samples([4] * K), model, engine)
    x_KD, given = rows(k, model), batch("dropout", [B, 3, 2])
    together = k.engine.gradients(k.engine.layout.views(x_KD), given)
    for row in range(K):
        only = torch.tensor([row])
        alone = k.engine.gradients(k.engine.layout.views(x_KD[only]), given.rows(only, int(given.counts[row])))
        torch.testing.assert_close(alone.losses_C[0], together.losses_C[row])
    others = Batch(given.inputs, given.targets, given.counts, given.full, given.keys + 1)
    again = k.engine.gradients(k.engine.layout.views(x_KD), others)
    assert (again.losses_C != together.losses_C).all()


@engines
@pytest.mark.parametrize("name", ["mlp", "batch_norm", "masked"])
def test_nothing_that_was_handed_in_is_changed(name: str, engine: type[Engine]) -> None:
    model = seeded(ALL[name])
    k = cohort(samples([4] * K), model, engine)
    x_KD, given = rows(k, model), batch(name, [B, 3, 2])
    before_KD, inputs = x_KD.clone(), given.inputs.clone()
    first = k.engine.gradients(k.engine.layout.views(x_KD), given)
    kept = Gradients(*({n: t.clone() for n, t in p.items()} for p in (first.parameters, first.buffers)), first.losses_C)
    moved_KD = x_KD.clone()
    moved_KD[:, : k.engine.layout.parameters] += 1
    k.engine.outputs(k.engine.layout.views(moved_KD), given.inputs[0])
    close(k.engine.gradients(k.engine.layout.views(x_KD), given), kept, 0)
    close(first, kept, 0)
    assert torch.equal(x_KD, before_KD)
    assert torch.equal(given.inputs, inputs)


@engines
@pytest.mark.parametrize("name", ALL)
def test_outputs_are_those_of_each_network_in_evaluation_mode(name: str, engine: type[Engine]) -> None:
    model = seeded(ALL[name])
    k = cohort(samples([4] * K), model, engine)
    x_KD, inputs = rows(k, model), batch(name, [B] * K).inputs[0]
    answers = k.engine.outputs(k.engine.layout.views(x_KD), inputs)
    assert not answers.requires_grad
    for row in range(K):
        expected = load(seeded(ALL[name]), k, x_KD[row]).eval()(inputs)
        torch.testing.assert_close(answers[row], expected.detach(), rtol=1e-9, atol=1e-9)


class Functional(nn.Module):
    """Drops by a function that draws from torch's own generator."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(nn.functional.dropout(x, 0.5, self.training))
        return out


def test_whatever_a_network_draws_is_addressed() -> None:
    model = seeded(Functional)
    k = cohort(samples([4] * K), model, SequentialEngine)
    views, given = k.engine.layout.views(rows(k, model)), batch("mlp", [B] * K)
    before = torch.get_rng_state()
    first = k.engine.gradients(views, given)
    torch.rand(3)
    close(k.engine.gradients(views, given), first, 0)
    others = Batch(given.inputs, given.targets, given.counts, given.full, given.keys + 1)
    assert (k.engine.gradients(views, others).losses_C != first.losses_C).all()
    torch.set_rng_state(before)


class Recurrent(nn.Module):
    """Keeps a list of its weights beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.out = nn.LSTM(1, 3, batch_first=True), nn.Linear(3, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.lstm(x.unsqueeze(-1))[0][:, -1])
        return out


def test_a_recurrent_network_trains_on_the_rows_weights() -> None:
    k = cohort(samples([4] * K), seeded(Recurrent), SequentialEngine)
    x_KD, given = rows(k, seeded(Recurrent)), batch("mlp", [B] * K)
    ours = k.engine.gradients(k.engine.layout.views(x_KD), given)
    for row in range(K):
        model = load(seeded(Recurrent), k, x_KD[row])
        cross_entropy(model(given.inputs[row]), given.targets[row]).mean().backward()
        for key, value in model.named_parameters():
            torch.testing.assert_close(ours.parameters[key][row], value.grad)


@engines
def test_a_regression_with_several_targets(engine: type[Engine]) -> None:
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets, reduction="none").mT.contiguous().mT

    model = seeded(lambda: nn.Linear(5, 2))
    data: Data = samples([4] * K, metrics={"loss": loss})
    k = cohort(data, model, engine)
    x_KD, given = rows(k, model), batch("mlp", [B, 3, 2])
    targets = torch.randn(K, B, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ours = k.engine.gradients(
        k.engine.layout.views(x_KD), Batch(given.inputs, targets, given.counts, given.full, given.keys)
    )
    for row, count in enumerate([B, 3, 2]):
        inputs, y = given.inputs[row, :count].numpy(), targets[row, :count].numpy()
        weight, bias = x_KD[row, :10].view(2, 5).numpy(), x_KD[row, 10:].numpy()
        error = inputs @ weight.T + bias - y
        assert float(ours.losses_C[row]) == pytest.approx((error**2).mean())
        np.testing.assert_allclose(ours.parameters["bias"][row], 2 * error.sum(0) / error.size)
        np.testing.assert_allclose(ours.parameters["weight"][row], 2 * error.T @ inputs / error.size)


def test_coupled() -> None:
    assert coupled(MODELS["batch_norm"]())
    assert not coupled(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2), nn.InstanceNorm1d(2)))
