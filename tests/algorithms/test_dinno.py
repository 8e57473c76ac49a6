from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch

from holdfast.algorithms.base import Algorithm
from holdfast.algorithms.decentralised.dinno import DiNNO
from holdfast.catalogue import build
from holdfast.errors import InputError
from holdfast.types import FloatArray

from ..tiny import Cut, line, notes, play, simulation
from .peers import EVERYONE, GRAPH, MIDDLE, TARGETS, at_the_end, check, check_exact, starts, zeros
from .test_fedavg import gradient

RHO = 0.5
EXACT = {"name": "sgd", "lr": 1 / (1 + 2 * RHO * 2)}
"""One step to the minimum of ½(θ - b)² + ⟨θ, p⟩ + ρΣ‖θ - …‖² over two neighbours."""


def dinno(**fields: Any) -> DiNNO:
    return DiNNO(**{"rho": RHO, "rho_scaling": 1.0, "batch_size": None, **fields})


def test_by_hand() -> None:
    # One neighbour each, ρ = ½: steps of ½ are exact. From 0, 0 to the minima of ½θ² + ½θ² and ½(θ - 8)² + ½θ²: 0, 4.
    # Then p is ½(0 - 4) = -2 and 2, and the middle is 2: ½θ² - 2θ + ½(θ - 2)² is least at 2, the other at 4.
    optimizer = {"name": "sgd", "lr": 0.5}
    sim = simulation(algorithm=dinno(primal_iterations=1, optimizer=optimizer), topology="complete", **line(0.0, 8.0))
    assert play(sim, 2).squeeze(-1).tolist() == [[0.0, 4.0], [2.0, 4.0]]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("name", ["adam", "sgd", "adamw"])
def test_against_a_plain_loop_around_torch(name: str, keep: bool) -> None:
    first, rate, rounds, scaling = 0.05, 0.1, 4, 1.1

    def loop() -> Iterator[list[FloatArray]]:
        x, p, rho = starts(), zeros(), 0.3
        w = [torch.tensor(x_i, requires_grad=True) for x_i in x]
        kept = [
            {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[name]([w_i]) for w_i in w
        ]
        for k in range(10**6):
            rho *= scaling
            p = [p[i] + rho * sum(x[i] - x[j] for j in GRAPH[i]) for i in EVERYONE]
            for i in EVERYONE:
                if not keep:
                    kept[i] = type(kept[i])([w[i]])
                kept[i].param_groups[0]["lr"] = first * rate ** (k / rounds)
                for _ in range(3):
                    at = w[i].detach().numpy()
                    own = gradient(at, slice(2 * i, 2 * i + 2)) + p[i]
                    near = sum(2 * rho * (at - (x[i] + x[j]) / 2) for j in GRAPH[i])
                    w[i].grad = torch.as_tensor(own + near)
                    kept[i].step()
            x = [w_i.detach().numpy().copy() for w_i in w]
            yield x

    schedule = {"name": "exponential", "rounds": rounds, "rate": rate}
    optimizer = {"name": name, "lr": first, "schedule": schedule}
    check(
        dinno(rho=0.3, rho_scaling=scaling, primal_iterations=3, optimizer=optimizer, keep_memory=keep), loop, rounds=6
    )


def test_met_exactly_it_is_prox_pda() -> None:
    # min f(x) + ⟨μ, Ax⟩ + ρ/2 ‖Ax‖² + ρ/2 ‖|A|(x - x⁻)‖², and μ ← μ + ρAx, with a row of A for each link.
    A, b = nx.incidence_matrix(nx.cycle_graph(5), oriented=True).toarray().T, np.array(TARGETS)
    x, mu, expected = np.zeros(5), np.zeros(5), []
    signless = np.abs(A).T @ np.abs(A)
    for _ in range(8):
        x = np.linalg.solve(np.eye(5) + RHO * (A.T @ A + signless), b + RHO * signless @ x - A.T @ mu)
        mu = mu + RHO * A @ x
        expected.append(x)
    sim = simulation(algorithm=dinno(primal_iterations=1, optimizer=EXACT), topology="cycle", **line(*TARGETS))
    np.testing.assert_allclose(play(sim, 8).squeeze(-1), expected, rtol=1e-5, atol=1e-6)


def test_has_no_bias() -> None:
    check_exact(dinno(primal_iterations=1, optimizer=EXACT), 150)
    check_exact(dinno(primal_iterations=2, optimizer={"name": "sgd", "lr": 0.2}), 200)


def test_has_no_bias_on_a_graph_that_changes() -> None:
    topology = {"name": "failing", "topology": "complete", "p": 0.5}
    check_exact(dinno(primal_iterations=2, optimizer={"name": "sgd", "lr": 0.15}), 250, topology=topology)


def test_one_way_losses_take_the_common_model_along() -> None:
    faults = [{"name": "drop", "probability": 0.3}]
    x = at_the_end(dinno(primal_iterations=1, optimizer=EXACT), 150, faults=faults)
    np.testing.assert_allclose(x, np.mean(x), atol=1e-4)
    assert abs(np.mean(x) - MIDDLE) > 0.1, "the test shows no drift"


def test_says_the_loss_of_its_last_steps() -> None:
    optimizer = {"name": "sgd", "lr": 0.5}
    sim = simulation(algorithm=dinno(primal_iterations=1, optimizer=optimizer), topology="complete", **line(0.0, 8.0))
    play(sim, 3)
    # In round 1 of the first model, which is also where the steps of round 1 begin; then where those of round 2 begin.
    assert [notes(sim).by_node(round, "train_loss") for round in (1, 2, 3)] == [
        {0: 0, 1: 32},
        {0: 0, 1: 32},
        {0: 0, 1: 8},
    ]


def test_every_step_has_a_batch_of_its_own() -> None:
    seen: list[list[float]] = []
    for steps in (1, 2):
        algorithm = dinno(primal_iterations=steps, optimizer={"name": "sgd", "lr": 1e-9}, batch_size=1)
        both: dict[str, Any] = {**line(0.0, 4.0, 10.0, 20.0), "nodes": 2}
        sim = simulation(algorithm=algorithm, topology="complete", **both)
        play(sim, 2)
        seen.append(sorted(notes(sim).by_node(2, "train_loss").values()))
    assert all(loss in pair for loss, pair in zip(seen[0], ([0, 8], [50, 200]), strict=True)), "one sample each"
    assert seen[1] == [4, 125], "the mean of both samples"
    assert dinno(primal_iterations=3, batch_size=8).effort(np.array([5, 20])).tolist() == [15, 20]


def test_buffers_are_averaged_and_moved() -> None:
    fields: dict[str, Any] = {"problem": "tests.tiny:Normed", "nodes": 2, "partition": Cut(), "topology": "complete"}
    sim = simulation(algorithm=dinno(primal_iterations=1, optimizer=EXACT), **fields)
    first, second = (
        sim.run.engine.layout.views(torch.from_numpy(x_KD))["running_mean"].flatten() for x_KD in play(sim, 2)
    )
    assert first.tolist() == pytest.approx([0.2, 1.2])
    assert second.tolist() == pytest.approx([0.7 + 0.1 * (2 - 0.7), 0.7 + 0.1 * (12 - 0.7)])
    assert sim.nodes.stores["algorithm"].take(sim.run.everyone)["dual"].shape[1] == sim.run.engine.layout.parameters


@pytest.mark.parametrize("rho", [0, -1.0])
def test_rho_is_positive(rho: float) -> None:
    with pytest.raises(InputError, match="rho must be greater than 0"):
        build(Algorithm, {"name": "dinno", "rho": rho})
