from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.triggers.base import News
from holdfast.triggers.shapley import Shapley
from holdfast.types import FloatArray

from ..runtimes.network.cluster import cluster
from ..tiny import Blobs, notes, play, simulation

F, C, V = 3, 4, 30


def told(reports_NR: Tensor, validation: tuple[Tensor, Tensor], rounds: int = 10) -> News:
    nodes = len(reports_NR)
    return News(rounds, torch.zeros(1), reports_NR, np.zeros(nodes), validation, np.ones(nodes, dtype=bool))


def classes(nodes: int, seed: int = 3) -> News:
    source = torch.Generator().manual_seed(seed)
    validation = torch.randn(V, F, generator=source), torch.randint(C, (V,), generator=source)
    return told(torch.randn(nodes, (F + 1) * C, generator=source), validation)


def loss_of(model: FloatArray, news: News) -> float:
    """The mean cross-entropy of a linear model, a sample after the other."""
    total = 0.0
    for x, y in zip(news.validation[0].double().numpy(), news.validation[1].tolist(), strict=True):
        outputs = np.append(x / np.linalg.norm(x), 1.0) @ model.reshape(F + 1, C)
        total += np.log(np.exp(outputs).sum()) - outputs[y]
    return total / V


def square_of(model: FloatArray, news: News) -> float:
    """The mean half square of a linear model."""
    rows = [np.append(x / np.linalg.norm(x), 1.0) for x in news.validation[0].double().numpy()]
    pairs = zip(rows, news.validation[1].tolist(), strict=True)
    return float(np.mean([0.5 * (row @ model - y) ** 2 for row, y in pairs]))


def by_orders(news: News, loss: Callable[[FloatArray, News], float]) -> FloatArray:
    """What each node adds when it joins, over all orders."""
    models = news.reports_NR.double().numpy()
    found, orders = np.zeros(len(models)), list(permutations(range(len(models))))
    for order in orders:
        worth = [-loss(0 * models[0], news)]
        worth += [-loss(models[list(order[: k + 1])].mean(0), news) for k in range(len(order))]
        found[list(order)] += np.diff(worth) / len(orders)
    return found


@pytest.mark.parametrize("nodes", [1, 2, 4])
def test_exact_values_against_all_orders(nodes: int) -> None:
    news = classes(nodes)
    np.testing.assert_allclose(Shapley().values(news.reports_NR, news), by_orders(news, loss_of), rtol=1e-6)


def test_exact_values_in_a_regression_against_all_orders() -> None:
    source = torch.Generator().manual_seed(8)
    validation = torch.randn(V, F, generator=source), torch.randn(V, generator=source)
    news = told(torch.randn(3, F + 1, generator=source), validation)
    np.testing.assert_allclose(Shapley().values(news.reports_NR, news), by_orders(news, square_of), rtol=1e-6)


@pytest.mark.parametrize("sampling", ["exact", "permutations"])
def test_values_share_out_what_all_are_worth(sampling: str) -> None:
    news = classes(9)
    values = Shapley(sampling=sampling, permutations=3).values(news.reports_NR, news)
    everybody = news.reports_NR.double().mean(0).numpy()
    assert values.sum() == pytest.approx(loss_of(0 * everybody, news) - loss_of(everybody, news))


def test_samples_come_close_to_the_exact_values() -> None:
    news = classes(6)
    exact = Shapley().values(news.reports_NR, news)
    sampled = Shapley(sampling="permutations", permutations=2000).values(news.reports_NR, news)
    np.testing.assert_allclose(sampled, exact, atol=0.03 * np.abs(exact).max())
    other = Shapley(sampling="permutations", permutations=20, seed=1).values(news.reports_NR, news)
    assert not np.allclose(other, Shapley(sampling="permutations", permutations=20).values(news.reports_NR, news))


def test_more_nodes_than_are_judged_at_once() -> None:
    news = classes(130)
    values = Shapley(permutations=1).values(news.reports_NR, news)
    order = torch.randperm(130, generator=torch.Generator().manual_seed(0))  # any order will do for the sum
    everybody = news.reports_NR[order].double().mean(0).numpy()
    assert values.sum() == pytest.approx(loss_of(0 * everybody, news) - loss_of(everybody, news))


def test_the_schedule_by_hand() -> None:
    # The absolute values are scaled to 0, 1 and ½: 1, 5 and 3 messages in ten rounds.
    values = {"known": torch.ones(3, dtype=torch.bool), "value": torch.tensor([0.2, -0.8, 0.5])}
    found = [Shapley(interval=2).plan(values, round, classes(3))[1].tolist() for round in range(1, 11)]
    rounds = [[round for round, orders in enumerate(found, start=1) if orders[node]] for node in range(3)]
    assert rounds == [[10], [2, 4, 6, 8, 10], [4, 8, 10]]


def test_who_has_not_reported_speaks_always_and_is_no_player() -> None:
    news = classes(4)
    partly = told(news.reports_NR.clone(), news.validation)
    partly.reports_NR[2] = torch.nan
    state, orders_N = Shapley().plan({}, 1, partly)
    assert orders_N[2] == 1
    assert state["value"].isnan().tolist() == [False, False, True, False]
    rest = Shapley().values(news.reports_NR[[0, 1, 3]], news)
    np.testing.assert_allclose(state["value"][[0, 1, 3]].numpy(), rest)
    again, _ = Shapley().plan(state, 2, partly)
    assert again is state, "looked at all coalitions again"
    assert not Shapley().plan(state, 3, news)[0]["value"].isnan().any(), "forgot who came later"


def test_nobody_has_reported() -> None:
    nothing = told(torch.full((3, (F + 1) * C), torch.nan), classes(1).validation)
    assert Shapley().plan({}, 1, nothing)[1].tolist() == [1, 1, 1]


# ---------------------------------------------------------------- the survey


def test_one_step_of_the_small_model_by_hand() -> None:
    # From 0 both classes have ½: the gradient is (½ - y) times the input, (0.6, 0.8, 1), and the step is a half.
    report = Shapley(epochs=1).survey(torch.tensor([[3.0, 4.0]]), torch.tensor([1]), 2, 1)
    np.testing.assert_allclose(report.numpy(), [-0.15, 0.15, -0.2, 0.2, -0.25, 0.25], rtol=1e-6)


def test_one_step_in_a_regression_by_hand() -> None:
    report = Shapley(epochs=1).survey(torch.tensor([[3.0, 4.0]]), torch.tensor([2.0]), None, 1)
    np.testing.assert_allclose(report.numpy(), [0.6, 0.8, 1.0], rtol=1e-6)


def test_the_small_model_learns_and_never_grows_without_bounds() -> None:
    inputs, labels = 1e4 * torch.eye(3).repeat(4, 1), torch.arange(3).repeat(4)
    report = Shapley(epochs=300).survey(inputs, labels, 3, 1)
    assert report.isfinite().all()
    assert (report.reshape(4, 3)[:3].argmax(1) == torch.arange(3)).all()


@pytest.mark.parametrize(
    ("targets", "classes", "width"),
    [
        (torch.zeros(6, dtype=torch.int64), 5, 5 * 4),  # classes
        (torch.zeros(6, 7, dtype=torch.int64), 5, 5 * 4),  # a class at each place of a text
        (torch.zeros(6), 2, 4),  # yes or no, as a number
        (torch.zeros(6, 2), None, 2 * 4),  # two numbers
        (torch.zeros(6, dtype=torch.int64), None, 4),  # whole numbers
    ],
)
def test_the_report_of_any_targets_has_a_width_that_the_coordinator_reads(
    targets: Tensor, classes: int | None, width: int
) -> None:
    inputs = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    report = Shapley(epochs=2).survey(inputs, targets, classes, 1)
    assert report.shape == Shapley(epochs=2).survey(inputs[:2], targets[:2], classes, 1).shape == (width,)
    news = told(torch.stack([report, 2 * report, 0 * report]), (inputs, targets))
    assert np.isfinite(Shapley().values(news.reports_NR, news)).all()


# ---------------------------------------------------------------- in a run


def fields() -> dict[str, object]:
    small = {"name": "shapley", "epochs": 5, "interval": 2}
    tiny = {"problem": Blobs(samples=96), "partition": "label_shards", "nodes": 5, "engine": "sequential"}
    return {"algorithm": {"name": "fedavg", "batch_size": 6}, "trigger": small, "rounds": 4, "seed": 2, **tiny}


def test_over_the_network_as_in_a_simulation(tmp_path: Path) -> None:
    sim = simulation(**fields())
    expected = play(sim, 4)[-1]
    with cluster(tmp_path, ["0-1", "2-4"], **fields()) as made:
        made.start()
        np.testing.assert_allclose(made.play(4), expected, rtol=1e-5, atol=1e-5)
        assert {k: v for k, v in made.notes.values.items() if k[1] == "speakers"} == {
            k: v for k, v in notes(sim).values.items() if k[1] == "speakers"
        }
    assert 0 < sum(notes(sim).values[round, "speakers", None] for round in range(1, 5)) < 20


def test_refuses_exact_sums_over_too_many_nodes() -> None:
    trigger = {"name": "shapley", "sampling": "exact"}
    with pytest.raises(InputError, match=r"trigger\.sampling must be auto or permutations with more than 12 nodes"):
        Experiment(problem=Blobs(), algorithm="fedavg", nodes=13, trigger=trigger)
    Experiment(problem=Blobs(), algorithm="fedavg", nodes=12, trigger=trigger)
