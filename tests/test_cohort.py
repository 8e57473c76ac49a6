"""Local training and evaluation against plain loops over nodes, batches and samples, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import holdfast.cohort as module
from holdfast.attacks import LabelFlip
from holdfast.batches import batch_table
from holdfast.cohort import Cohort
from holdfast.engines import Engine, SequentialEngine, StackedEngine
from holdfast.optimizer import Optimizer
from holdfast.types import Rows

from .odd_networks import ODD
from .small import CLASSES, ENGINES, MODELS, cohort, load, network, rows, samples, seeded, shape_of, unload

SIZES = [7, 4, 12, 5, 9]
engines = pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
chunks = pytest.mark.parametrize("chunk", [1, 2, 3, 100])
SGD = Optimizer(name="sgd", lr=0.1)
TORCH: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "rmsprop": torch.optim.RMSprop,
}


def steps_of(size: int, batch_size: int | None, epochs: int | None, steps: int | None) -> int:
    if epochs is None:
        return steps or 1
    count, left = 0, size
    while left > 0:
        count, left = count + 1, left - (size if batch_size is None else batch_size)
    return count * epochs


def batches_of(k: Cohort, row: int, first: int, steps: int, batch_size: int | None) -> list[list[int]]:
    """The training samples in each batch of a row."""
    node = int(k.nodes_K[row])
    shard = k.data.shards[node]
    one = [np.array([n]) for n in (node, len(shard), first, steps)]
    table = batch_table(k.data.seed, *one, batch_size)
    pairs = zip(table.samples[0].tolist(), table.counts[0].tolist(), strict=True)
    return [[int(shard[position]) for position in samples[:count]] for samples, count in pairs]


def train_alone(
    k: Cohort,
    row: int,
    x_D: Tensor,
    model: nn.Module,
    *,
    optimizer: Optimizer = SGD,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int | None = 4,
    pull: tuple[float, Tensor] | None = None,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
) -> tuple[Tensor, float]:
    """One node's training as anyone would write it in PyTorch."""
    load(model, k, x_D).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    stepper = TORCH[optimizer.name](trained, **optimizer.arguments())
    size, share = len(k.data.shards[int(k.nodes_K[row])]), float(k.work[row])
    whole = steps_of(size, batch_size, epochs, steps)
    done = max(1, int(np.ceil(whole * share)))
    losses = []
    for batch in batches_of(k, row, (k.round - 1) * whole, done, batch_size):
        if whole == 1:
            batch = batch[: int(np.ceil(len(batch) * share))]
        inputs, targets = k.data.train[0][batch], k.data.train[1][batch]
        if k.poisoned[row]:
            targets = CLASSES - 1 - targets
        stepper.zero_grad()
        loss = k.data.metrics["loss"](model(inputs), targets).mean()
        losses.append(float(loss.detach()))
        for p in trained:
            loss = loss + l1 * p.abs().sum() + l2 * p.square().sum()
        if pull is not None:
            mu, w_D = pull
            anchors = k.engine.layout.views(w_D.unsqueeze(0))
            for name, p in model.named_parameters():
                if p.requires_grad:
                    loss = loss + mu / 2 * (p - anchors[name][0]).square().sum()
        loss.backward()
        if clip_value is not None:
            nn.utils.clip_grad_value_(trained, clip_value)
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(trained, clip_norm)
        stepper.step()
    return unload(model, k), float(np.mean(losses))


def check(k: Cohort, name: str, fields: dict[str, Any], mu_K: Tensor | None = None, w_KD: Tensor | None = None) -> None:
    """Training the cohort is training each of its nodes alone."""
    make = {**MODELS, **ODD}[name]
    x_KD = rows(k, seeded(make))
    before_KD, batch_size = x_KD.clone(), fields.get("batch_size", 4)
    extra: dict[str, Any] = {}
    if mu_K is not None and w_KD is not None:

        def pull(x_CD: Tensor, some: Rows) -> Tensor:
            return mu_K[some].unsqueeze(1) * (x_CD - w_KD[some])

        extra = {"extra_gradient": pull}
    y_KD, losses_K = k.train(x_KD, **{"optimizer": SGD, **fields, "batch_size": batch_size}, **extra)
    assert torch.equal(x_KD, before_KD), "changed its input"
    for row in range(len(k)):
        own = {"pull": (float(mu_K[row]), w_KD[row])} if mu_K is not None and w_KD is not None else {}
        y_D, loss = train_alone(k, row, x_KD[row], seeded(make), **{**fields, "batch_size": batch_size}, **own)
        torch.testing.assert_close(y_KD[row], y_D, rtol=1e-6, atol=1e-8)
        assert float(losses_K[row]) == pytest.approx(loss, abs=1e-6)


PLANS: list[dict[str, Any]] = [
    {"epochs": 1},
    {"epochs": 2, "batch_size": 3},
    {"steps": 1},
    {"steps": 5},
    {"epochs": 2, "batch_size": None},
    {"steps": 2, "batch_size": 100},
    {"epochs": 2, "optimizer": Optimizer(name="sgd", lr=0.1, momentum=0.9, nesterov=True)},
    {"epochs": 2, "optimizer": Optimizer(name="adam", lr=0.02)},
    {"epochs": 1, "optimizer": Optimizer(name="rmsprop", lr=0.02, momentum=0.5)},
    {"epochs": 1, "clip_norm": 0.3},
    {"epochs": 1, "clip_value": 0.05},
    {"epochs": 1, "clip_value": 0.1, "clip_norm": 0.2},
    {"epochs": 1, "l1": 0.01},
    {"epochs": 1, "l2": 0.1},
    {"epochs": 1, "l1": 0.01, "l2": 0.1, "clip_norm": 0.5, "optimizer": Optimizer(name="adam", lr=0.02)},
]


@engines
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: "-".join(plan))
def test_training_is_a_plain_loop(plan: dict[str, Any], engine: type[Engine]) -> None:
    check(cohort(samples(SIZES), network("mlp"), engine, chunk=3), "mlp", plan)


@engines
@pytest.mark.parametrize("name", ["logistic", "batch_norm", "cnn", "cnn_batch_norm", *ODD])
def test_every_network_trains_as_a_plain_loop(name: str, engine: type[Engine]) -> None:
    sizes = [7, 8, 11] if "norm" in name else SIZES  # no batch of one sample
    k = cohort(samples(sizes, shape_of(name)), seeded({**MODELS, **ODD}[name]), engine)
    check(k, name, {"epochs": 2, "batch_size": 4, "l2": 0.01, "clip_norm": 1.0})


@engines
@chunks
@pytest.mark.parametrize("plan", [{"epochs": 2}, {"steps": 3}], ids=["ragged", "equal"])
def test_the_extra_term_is_given_its_rows(plan: dict[str, Any], chunk: int, engine: type[Engine]) -> None:
    k = cohort(samples(SIZES), network("batch_norm"), engine, chunk, nodes=[4, 0, 2, 1, 3])
    k = replace(k, data=replace(k.data, shards=[s[: max(2, len(s) // 2 * 2)] for s in k.data.shards]))
    mu_K = torch.tensor([0.1, 0.5, 1.0, 2.0, 0.3], dtype=torch.float64)
    w_KD = torch.randn(5, k.columns, dtype=torch.float64, generator=torch.Generator().manual_seed(8))
    check(k, "batch_norm", {**plan, "clip_norm": 0.7}, mu_K, w_KD)


@engines
@chunks
def test_rounds_go_on_in_the_stream(chunk: int, engine: type[Engine]) -> None:
    for plan in ({"epochs": 1}, {"steps": 2}):
        check(cohort(samples(SIZES), network("logistic"), engine, chunk, round=5), "logistic", plan)


@engines
@chunks
@pytest.mark.parametrize(
    "plan",
    [{"epochs": 2}, {"steps": 5}, {"steps": 1}, {"epochs": 1, "batch_size": None}],
    ids=["epochs", "steps", "one batch", "everything"],
)
def test_a_straggler_gets_through_its_share(plan: dict[str, Any], chunk: int, engine: type[Engine]) -> None:
    work_K = np.array([0.5, 1.0, 0.25, 1 / 3, 0.9])
    check(cohort(samples(SIZES), network("mlp"), engine, chunk, work_K=work_K), "mlp", plan)


def test_half_the_work_is_half_the_steps() -> None:
    data, model = samples([8, 8]), network("logistic")
    half = cohort(data, model, work_K=np.array([0.5, 1.0]))
    x_KD = rows(half, model)
    y_KD, _ = half.train(x_KD, SGD, steps=4, batch_size=2)
    two_KD, _ = cohort(data, model).train(x_KD, SGD, steps=2, batch_size=2)
    four_KD, _ = cohort(data, model).train(x_KD, SGD, steps=4, batch_size=2)
    assert torch.equal(y_KD[0], two_KD[0])
    assert torch.equal(y_KD[1], four_KD[1])


@engines
def test_a_straggler_with_batch_statistics_keeps_two_samples(engine: type[Engine]) -> None:
    model = network("batch_norm")
    k = cohort(samples([3, 6]), model, engine, work_K=np.array([0.1, 1.0]))
    y_KD, _ = k.train(rows(k, model), SGD, epochs=1, batch_size=None)
    full = cohort(k.data, model, engine, work_K=np.array([2 / 3, 1.0]))
    torch.testing.assert_close(y_KD, full.train(rows(k, model), SGD, epochs=1, batch_size=None)[0])


@engines
@pytest.mark.parametrize("batch_size", [4, None])
def test_label_flippers_train_on_flipped_labels(batch_size: int | None, engine: type[Engine]) -> None:
    bad = np.array([False, True, False, True, True])
    data = samples(SIZES)
    before = data.train[1].clone()
    k = cohort(data, network("mlp"), engine, chunk=2, poison=LabelFlip().poison, poisoned_K=bad)
    check(k, "mlp", {"epochs": 2, "batch_size": batch_size})
    x_KD = rows(k, network("mlp"))
    honest_KD, _ = cohort(data, network("mlp"), engine).gradient(x_KD)
    poisoned_KD, _ = k.gradient(x_KD)
    assert ((honest_KD - poisoned_KD).abs().amax(1).numpy() > 1e-6).tolist() == bad.tolist()
    assert torch.equal(data.train[1], before), "changed the data"


# ---------------------------------------------------------------- gradient


@engines
@chunks
@pytest.mark.parametrize("name", ["mlp", "batch_norm", "masked", "scalar"])
def test_a_gradient_is_that_of_the_rounds_batch(name: str, chunk: int, engine: type[Engine]) -> None:
    make = {**MODELS, **ODD}[name]
    k = cohort(samples([7, 4, 12, 5, 10]), seeded(make), engine, chunk, round=3)
    penalties = {"l1": 0.02, "l2": 0.1, "clip_norm": 0.6, "clip_value": 0.4}
    x_KD = rows(k, seeded(make))
    before_KD = x_KD.clone()
    gradient_KD, losses_K = k.gradient(x_KD, batch_size=4, **penalties)
    assert torch.equal(x_KD, before_KD)
    again_KD, _ = k.gradient(x_KD, batch_size=4, **penalties)
    assert torch.equal(gradient_KD, again_KD), "another batch within the round"
    for row in range(len(k)):
        one = Optimizer(name="sgd", lr=1.0)
        y_D, loss = train_alone(k, row, x_KD[row], seeded(make), optimizer=one, steps=1, batch_size=4, **penalties)
        torch.testing.assert_close(x_KD[row] - gradient_KD[row], y_D, rtol=1e-9, atol=1e-9)
        assert float(losses_K[row]) == pytest.approx(loss, abs=1e-9)


def test_a_step_with_its_learning_rates_moves_parameters_and_buffers() -> None:
    model = network("batch_norm")
    k = cohort(samples([8, 8, 8]), model)
    x_KD, lr_K = rows(k, model), torch.tensor([0.1, 0.2, 0.3])
    gradient_KD, _ = k.gradient(x_KD, batch_size=4)
    moved_KD = x_KD - k.learning_rates(lr_K) * gradient_KD
    for row in range(3):
        optimizer = Optimizer(name="sgd", lr=float(lr_K[row]))
        y_D, _ = train_alone(k, row, x_KD[row], network("batch_norm"), optimizer=optimizer, steps=1, batch_size=4)
        torch.testing.assert_close(moved_KD[row], y_D, rtol=1e-6, atol=1e-6)
    plain = cohort(samples([8, 8, 8]), network("mlp"))
    assert torch.equal(plain.learning_rates(lr_K), lr_K.unsqueeze(1))


# ---------------------------------------------------------------- engines, and who stands with whom


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("batch_size", [4, None])
def test_stacked_trains_as_sequential(name: str, batch_size: int | None) -> None:
    sizes = [7, 4, 12, 6, 10] if "norm" in name else SIZES
    found = []
    for engine in ENGINES:
        k = cohort(samples(sizes, shape_of(name), torch.float32), network(name), engine, chunk=3)
        found.append(k.train(rows(k, network(name), torch.float32), SGD, epochs=2, batch_size=batch_size))
        found[-1] += k.gradient(rows(k, network(name), torch.float32), batch_size=batch_size)
    for sequential, stacked in zip(*found, strict=True):
        torch.testing.assert_close(stacked, sequential, rtol=1e-5, atol=1e-5)


@engines
@pytest.mark.parametrize("name", MODELS)
def test_a_row_does_not_depend_on_whom_it_stands_with(name: str, engine: type[Engine]) -> None:
    sizes = [7, 4, 12, 6, 10] if "norm" in name else SIZES
    data, model = samples(sizes, shape_of(name), torch.float32), network(name)
    whole = cohort(data, model, engine, chunk=2, work_K=np.array([1, 0.5, 1, 1, 0.7]))
    x_KD = rows(whole, model, torch.float32)
    y_KD, losses_K = whole.train(x_KD, SGD, epochs=2, batch_size=4)
    gradient_KD, _ = whole.gradient(x_KD, batch_size=4)
    for some in ([3], [4, 1], [0, 2, 3]):
        part = whole.rows(np.array(some))
        z_KD, part_K = part.train(x_KD[some], SGD, epochs=2, batch_size=4)
        torch.testing.assert_close(z_KD, y_KD[some], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(part_K, losses_K[some], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(part.gradient(x_KD[some], batch_size=4)[0], gradient_KD[some], rtol=1e-6, atol=1e-6)


def test_the_rows_of_a_cohort() -> None:
    bad = np.array([False, True, True])
    k = cohort(samples([2, 3, 4]), network("mlp"), work_K=np.array([1.0, 0.5, 0.2]), poisoned_K=bad)
    part = k.rows(np.array([2, 0]))
    assert (part.nodes_K.tolist(), part.work.tolist(), part.poisoned.tolist()) == ([2, 0], [0.2, 1.0], [True, False])
    assert part.sizes_K.tolist() == part.samples().tolist() == [4, 2]
    assert len(k.rows(slice(1, 3))) == 2
    alone = cohort(samples([2, 3]), network("mlp")).rows(np.array([1]))
    assert (alone.work.tolist(), alone.poisoned.tolist()) == ([1.0], [False])


@engines
def test_nobody_at_all_is_no_trouble(engine: type[Engine]) -> None:
    k = cohort(samples([2, 3]), network("mlp"), engine, nodes=[])
    x_KD = torch.zeros(0, k.columns)
    for found_KD, losses_K in (k.train(x_KD, SGD, epochs=1), k.gradient(x_KD)):
        assert (found_KD.shape, losses_K.shape) == ((0, k.columns), (0,))
    assert k.evaluate(x_KD)["loss"].shape == (0,)


def test_rows_that_are_one_row_seen_many_times_are_not_written_to() -> None:
    model = network("mlp")
    k = cohort(samples([5, 6, 7], dtype=torch.float32), model, StackedEngine)
    x_D = k.engine.layout.row(model)
    before_D = x_D.clone()
    y_KD, _ = k.train(x_D.expand(3, -1), SGD, epochs=1, batch_size=4)
    expected_KD, _ = k.train(x_D.repeat(3, 1), SGD, epochs=1, batch_size=4)
    assert torch.equal(y_KD, expected_KD)
    assert torch.equal(x_D, before_D)
    assert k.gradient(x_D.expand(3, -1), batch_size=4)[0].is_contiguous()


# ---------------------------------------------------------------- evaluation


@engines
@pytest.mark.parametrize("chunk", [2, 100])
@pytest.mark.parametrize("split", ["test", "train"])
@pytest.mark.parametrize("name", ["mlp", "batch_norm", "dropout"])
def test_evaluation_is_the_mean_over_all_samples(
    name: str, split: str, chunk: int, engine: type[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVALUATION_BATCH", 7)
    monkeypatch.setattr(module, "LEAST_JUDGED", 2)
    model = network(name)
    k = cohort(samples(SIZES), model, engine, chunk)
    x_KD = rows(k, model)
    found = k.evaluate(x_KD, split)
    inputs, targets = k.data.test if split == "test" else k.data.train
    assert len(inputs) > 14
    for row in range(len(k)):
        alone = load(network(name), k, x_KD[row]).eval()
        losses, right = [], 0
        for x, y in zip(inputs, targets, strict=True):
            logits = alone(x.unsqueeze(0))[0].detach()
            losses.append(-float(logits.log_softmax(0)[y]))
            right += int(logits.argmax()) == int(y)
        assert float(found["loss"][row]) == pytest.approx(np.mean(losses), abs=1e-6)
        assert float(found["accuracy"][row]) == pytest.approx(right / len(inputs), abs=1e-6)


def test_evaluation_takes_fewer_samples_at_a_time_of_more_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What passes through the network at once is as much for a hundred rows as for one."""
    model = network("mlp")
    k = cohort(samples(SIZES), model, StackedEngine, chunk=100)
    seen, outputs = list[int](), k.engine.outputs
    monkeypatch.setattr(module, "EVALUATION_BATCH", 60)
    monkeypatch.setattr(module, "LEAST_JUDGED", 2)
    monkeypatch.setattr(k.engine, "outputs", lambda views, x: (seen.append(len(x)), outputs(views, x))[1])
    k.evaluate(rows(k, model))
    assert max(seen) == 60 // len(k)


@engines
def test_evaluation_takes_any_number_of_rows(engine: type[Engine]) -> None:
    k = cohort(samples(SIZES), network("mlp"), engine, chunk=2)
    x_KD = rows(k, network("mlp"))
    whole = k.evaluate(x_KD)["loss"]
    for count in (1, 3):
        torch.testing.assert_close(k.evaluate(x_KD[:count])["loss"], whole[:count])
    assert len(k.rows(np.array([0])).evaluate(x_KD)["loss"]) == len(x_KD)


@engines
def test_any_samples_are_judged_by_any_metric(engine: type[Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVALUATION_BATCH", 2)
    monkeypatch.setattr(module, "LEAST_JUDGED", 2)
    model, source = network("mlp"), torch.Generator().manual_seed(4)
    k = cohort(samples(SIZES), model, engine, chunk=2)
    x_KD = rows(k, model)
    inputs, wanted = torch.randn(5, 5, generator=source, dtype=torch.float64), torch.tensor([0, 1, 2, 2, 0])
    found = k.judge(x_KD, (inputs, wanted), {"hit": lambda outputs, y: (outputs.argmax(-1) == y).double()})
    answers = [load(network("mlp"), k, x_D).eval()(inputs).argmax(1) for x_D in x_KD]
    assert found["hit"].tolist() == pytest.approx([float((a == wanted).double().mean()) for a in answers])
    assert list(found) == ["hit"]


@engines
def test_evaluate_local_judges_on_each_nodes_own_samples(engine: type[Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVALUATION_BATCH", 5)
    monkeypatch.setattr(module, "LEAST_JUDGED", 2)
    model = network("mlp")
    k = cohort(samples(SIZES), model, engine, nodes=[3, 0])
    x_KD = rows(k, model)
    for given_KD in (x_KD, x_KD[:1]):  # a model each, and one for both
        found = k.evaluate_local(given_KD)
        for row, node in enumerate([3, 0]):
            own = torch.from_numpy(k.data.shards[node])
            alone = load(network("mlp"), k, given_KD.expand(2, -1)[row]).eval()
            logits, y = alone(k.data.train[0][own]).detach(), k.data.train[1][own]
            expected = -logits.log_softmax(1)[torch.arange(len(y)), y].mean()
            assert float(found["loss"][row]) == pytest.approx(float(expected), abs=1e-6)
            assert float(found["accuracy"][row]) == pytest.approx(float((logits.argmax(1) == y).float().mean()))


def test_a_poisoned_node_may_judge_what_it_makes_of_its_samples() -> None:
    shifted = cohort(samples(SIZES), network("mlp"), poison=lambda x, y, classes: (x, (y + 1) % classes))
    k = replace(shifted, poisoned_K=np.arange(len(shifted)) == 1)
    x_1D = rows(k, network("mlp"))[:1]
    told = replace(k.data, train=(k.data.train[0], (k.data.train[1] + 1) % CLASSES))
    plain, poisoned = k.evaluate_local(x_1D)["loss"], k.evaluate_local(x_1D, poisoned=True)["loss"]
    expected = plain.where(torch.arange(len(k)) != 1, replace(k, data=told).evaluate_local(x_1D)["loss"])
    assert torch.equal(poisoned, expected)
    assert poisoned[1] != plain[1]


@pytest.mark.parametrize("batch_size", [4, None])
def test_steps_are_those_that_training_takes(batch_size: int | None) -> None:
    k = cohort(samples([9, 4, 7]), network("mlp"), work_K=np.array([1.0, 0.01, 0.5]))
    assert k.steps(None, 6, batch_size).tolist() == [6, 1, 3]
    assert k.steps(2, None, batch_size).tolist() == ([6, 1, 2] if batch_size else [2, 1, 1])


# ---------------------------------------------------------------- other tasks


class Huber(nn.Module):
    """A user's own loss of several targets."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.huber_loss(outputs, targets, reduction="none")


@engines
def test_a_regression_with_several_targets_and_a_loss_of_ones_own(engine: type[Engine]) -> None:
    source = torch.Generator().manual_seed(1)
    inputs, targets = (torch.randn(20, width, generator=source, dtype=torch.float64) for width in (4, 2))

    def absolute(outputs: Tensor, targets: Tensor) -> Tensor:
        return -(outputs - targets).abs().sum(1)

    fields = {"train": (inputs, targets), "test": (inputs[:9], targets[:9]), "classes": None}
    data = samples([9, 4, 7], metrics={"loss": Huber(), "absolute": absolute}, **fields)
    make = lambda: seeded(lambda: nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)))  # noqa: E731
    k = cohort(data, make(), engine)
    x_KD = rows(k, make())
    y_KD, losses_K = k.train(x_KD, SGD, epochs=2, batch_size=4)
    found = k.evaluate(y_KD)
    for row in range(3):
        y_D, loss = train_alone(k, row, x_KD[row], make(), epochs=2)
        torch.testing.assert_close(y_KD[row], y_D, rtol=1e-9, atol=1e-9)
        assert float(losses_K[row]) == pytest.approx(loss)
        outputs = load(make(), k, y_D)(inputs[:9]).detach()
        errors = (outputs - targets[:9]).abs()
        huber = torch.where(errors < 1, errors**2 / 2, errors - 0.5)
        assert float(found["loss"][row]) == pytest.approx(float(huber.mean()), abs=1e-6)
        assert float(found["absolute"][row]) == pytest.approx(-float(errors.sum(1).mean()), abs=1e-5)


def test_a_diverged_row_breaks_no_other() -> None:
    for engine in (SequentialEngine, StackedEngine):
        model = network("mlp")
        k = cohort(samples(SIZES), model, engine)
        x_KD = rows(k, model)
        expected_KD, _ = k.train(x_KD, SGD, epochs=1, batch_size=4, clip_norm=1.0)
        x_KD[2] = torch.nan
        y_KD, losses_K = k.train(x_KD, SGD, epochs=1, batch_size=4, clip_norm=1.0)
        assert losses_K.isfinite().tolist() == [True, True, False, True, True]
        torch.testing.assert_close(y_KD[[0, 1, 3, 4]], expected_KD[[0, 1, 3, 4]])
