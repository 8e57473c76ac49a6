from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from holdfast.algorithms.decentralised.dinno import DiNNO
from holdfast.algorithms.decentralised.dinno_edges import DiNNOEdges

from ..tiny import Blobs, line, play, simulation
from .peers import EVERYONE, FIELDS, GRAPH, MIDDLE, TARGETS, check_exact, starts, zeros
from .test_dinno import EXACT, RHO
from .test_fedavg import gradient

HOW: dict[str, Any] = {"rho": RHO, "rho_scaling": 1.0, "batch_size": None}
DROP = {"name": "drop", "probability": 0.3}


def test_if_nothing_is_lost_it_is_dinno() -> None:
    whole: dict[str, Any] = {"problem": Blobs(batch_norm=True), "nodes": 5, "topology": "cycle", "engine": "stacked"}
    plain, edges = (simulation(algorithm=cls(rho_scaling=1.1), **whole) for cls in (DiNNO, DiNNOEdges))
    np.testing.assert_allclose(play(edges, 8), play(plain, 8), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", [DROP, {"name": "crash", "node": 2, "at_round": 5, "back_at": 40}])
def test_has_no_bias_whatever_is_lost(kind: dict[str, Any]) -> None:
    check_exact(DiNNOEdges(**HOW, primal_iterations=1, optimizer=EXACT), 200, atol=1e-4, faults=[kind])


@pytest.mark.parametrize("scaling", [1.0, 1.01])
def test_who_was_away_comes_back_without_a_bang(scaling: float) -> None:
    crash = {"name": "crash", "node": 2, "at_round": 50, "back_at": 100}
    algorithm = DiNNOEdges(**{**HOW, "rho_scaling": scaling}, primal_iterations=1, optimizer={"name": "sgd", "lr": 0.2})
    sim = simulation(algorithm=algorithm, faults=[crash], topology="cycle", **line(*TARGETS))
    worst = [np.abs(x_ND - MIDDLE).max() for x_ND in play(sim, 102)]
    assert max(worst[100:]) < 1e-3


def test_has_no_bias_on_a_graph_that_changes() -> None:
    topology = {"name": "failing", "topology": "cycle", "p": 0.2}
    algorithm = DiNNOEdges(**HOW, primal_iterations=1, optimizer={"name": "sgd", "lr": 0.3})
    check_exact(algorithm, 200, atol=1e-4, topology=topology)


def test_against_a_plain_loop_over_lossy_links() -> None:
    rho, scaling, lr = 0.3, 1.1, 0.2
    sim = simulation(
        algorithm=DiNNOEdges(
            rho=rho, rho_scaling=scaling, primal_iterations=1, optimizer={"name": "sgd", "lr": lr}, batch_size=None
        ),
        faults=[DROP],
        **FIELDS,
    )
    found, x, sums = play(sim, 6), starts(), zeros()
    duals = {(i, j): np.zeros(2) for i in EVERYONE for j in GRAPH[i]}
    lost = 0
    for round in range(1, 7):
        rho, new = rho * scaling, []
        sums = [sums[i] + rho * x[i] for i in EVERYONE]
        for i in EVERYONE:
            near = [j for j in GRAPH[i] if sim.weather.delivers(round, np.array([j]), np.array([i]))[0]]
            lost += len(GRAPH[i]) - len(near)
            for j in near:
                duals[i, j] = sums[i] - sums[j]
            p = sum(duals[i, j] for j in GRAPH[i])
            pull = sum(2 * rho * (x[i] - (x[i] + x[j]) / 2) for j in near)
            new.append(x[i] - lr * (gradient(x[i], slice(2 * i, 2 * i + 2)) + p + pull))
        x = new
        np.testing.assert_allclose(found[round - 1], np.stack(x), rtol=2e-5, atol=2e-6)
    assert lost > 5


def test_remembers_a_row_for_every_node_and_sends_two() -> None:
    sim = simulation(algorithm=DiNNOEdges(**HOW), **FIELDS)
    play(sim, 2)
    state = sim.nodes.stores["algorithm"].take(sim.run.everyone)
    assert state["duals"].shape == (6, 6, 2)
    linked = torch.tensor([[j in GRAPH[i] for j in EVERYONE] for i in EVERYONE])
    assert torch.equal(state["duals"].any(-1), linked)
    torch.testing.assert_close(state["duals"], -state["duals"].transpose(0, 1))
    assert sim.totals["bytes_up"] == 2 * 2 * 4 * 2 * GRAPH.number_of_edges()
