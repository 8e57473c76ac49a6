from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch

from holdfast.attacks.dissensus import Dissensus
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.runtimes.debug import Debug
from holdfast.runtimes.simulation import Simulation
from holdfast.topologies import Wheel
from holdfast.types import FloatArray

from ..runtimes.network.cluster import cluster
from ..spies import SpyDSGD, nothing_seen, seen
from ..tiny import Blobs, line, play, simulation

__all__ = ["nothing_seen"]

DISSENSUS = {"name": "dissensus", "nodes": [2, 5], "epsilon": 1.5}
STORMY: dict[str, Any] = {
    "problem": Blobs(samples=96),
    "nodes": 8,
    "seed": 7,
    "topology": "wheel",
    "attack": DISSENSUS,
    "codec": {"name": "top_k", "fraction": 0.6},
    "faults": [{"name": "crash", "node": 5, "at_round": 2, "back_at": 3}, {"name": "drop", "probability": 0.1}],
}


def test_by_hand() -> None:
    """The honest pull is 1 and -1; attackers of weight 1/4 take 3/2 of it away at four times its length."""
    own_KD, mixed_KD = torch.tensor([[1.0, 0.0], [5.0, 0.0]]), torch.tensor([[2.0, 0.0], [4.0, 2.0]])
    told_KD = Dissensus().told(own_KD, mixed_KD, torch.tensor([0.25, 0.5]))
    assert told_KD.tolist() == [[-5.0, 0.0], [8.0, -6.0]]


def by_loop(targets: tuple[float, ...], attackers: tuple[int, ...], epsilon: float, rounds: int) -> FloatArray:
    """Six numbers on a wheel that mix by W and step to their targets by half the way."""
    W = Wheel().weights(nx.wheel_graph(6)).toarray()
    x = [0.0] * 6
    for _ in range(rounds):
        heard = [list(x) for _ in range(6)]  # heard[i][j] is what i hears of j
        for i in range(6):
            liars = [j for j in attackers if j != i and W[i, j]]
            if i not in attackers and liars:
                pull = sum(W[i, j] * (x[j] - x[i]) for j in range(6) if j not in attackers)
                for j in liars:
                    heard[i][j] = x[i] - epsilon * pull / sum(W[i, k] for k in liars)
        x = [sum(W[i, j] * heard[i][j] for j in range(6)) - 0.5 * (x[i] - targets[i]) for i in range(6)]
    return np.array(x)


@pytest.mark.parametrize("runtime", [Simulation, Debug])
@pytest.mark.parametrize("epsilon", [1.0, 2.5])
@pytest.mark.parametrize("attackers", [(0,), (2, 3), (1, 3, 5)])
def test_agrees_with_a_plain_loop(runtime: type[Simulation], epsilon: float, attackers: tuple[int, ...]) -> None:
    targets = (0.0, 2.0, 4.0, 6.0, 1.0, 3.0)
    attack = {"name": "dissensus", "nodes": attackers, "epsilon": epsilon}
    algorithm = {"name": "dsgd", "lr": 0.5, "batch_size": None}
    sim = simulation(runtime, algorithm=algorithm, topology="wheel", attack=attack, **line(*targets))
    np.testing.assert_allclose(play(sim, 4)[-1].ravel(), by_loop(targets, attackers, epsilon, 4), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rule", [None, {"name": "trimmed_mean", "f": 1}])
def test_debug_agrees(rule: object) -> None:
    fields = {**STORMY, "algorithm": {"name": "dsgd", "batch_size": 6}, "aggregator": rule}
    found_KD, expected_KD = (play(simulation(runtime, **fields), 4)[-1] for runtime in (Debug, Simulation))
    np.testing.assert_allclose(found_KD, expected_KD, rtol=1e-5, atol=1e-5)
    assert np.abs(play(simulation(**{**fields, "attack": None}), 4)[-1] - expected_KD).max() > 1e-3


def test_one_process_of_the_network_that_sees_everybody_agrees(tmp_path: Path) -> None:
    rule = {"name": "clipped_gossip", "f": 1}
    fields = {**STORMY, "algorithm": {"name": "dsgd", "batch_size": 6}, "aggregator": rule, "rounds": 3}
    with cluster(tmp_path, ["0-7"], **fields) as made:
        made.start()
        np.testing.assert_allclose(made.play(3), play(simulation(**fields), 3)[-1], rtol=1e-5, atol=1e-5)


def test_what_is_told_passes_the_codec() -> None:
    fields = {**STORMY, "algorithm": SpyDSGD(), "codec": {"name": "top_k", "fraction": 0.2}, "faults": []}
    sim = simulation(**fields)
    play(sim, 2)
    heard_SD = seen("merge")[-1].heard["x"]
    neighbours = {j for attacker in (2, 5) for j in Wheel().graph(1, 8, 1).neighbors(attacker)}
    assert len(heard_SD) == 8 + len(neighbours)
    assert 0 < int((heard_SD != 0).sum(1).max()) <= 0.2 * heard_SD.shape[1] + 1


def test_honest_nodes_drift_apart_on_digits_and_clipping_holds_them_together() -> None:
    def disagreement(**fields: Any) -> float:
        algorithm = {"name": "dsgd", "lr": 0.1, "batch_size": 32}
        sim = simulation(problem="digits", nodes=6, topology="complete", algorithm=algorithm, **fields)
        x_HD = play(sim, 6)[-1][[0, 1, 3, 4]]
        return float(np.square(x_HD - x_HD.mean(0)).sum())

    attack = {"name": "dissensus", "nodes": [2, 5], "epsilon": 1.5}
    calm, attacked = disagreement(), disagreement(attack=attack)
    clipped = disagreement(attack=attack, aggregator={"name": "cs_plus_rg", "f": 2})
    assert attacked > 10 * calm
    assert clipped < attacked / 2


def test_a_coordinator_is_no_neighbour() -> None:
    with pytest.raises(InputError, match=r"^attack must suit a coordinator, .* but 'dissensus' was given. Use ipm"):
        Experiment(problem="digits", algorithm="fedavg", attack="dissensus")


def test_silent_outside_its_rounds() -> None:
    fields = {**STORMY, "algorithm": "dsgd"}
    later = play(simulation(**{**fields, "attack": {**DISSENSUS, "from_round": 3}}), 3)
    never = play(simulation(**{**fields, "attack": None}), 3)
    np.testing.assert_array_equal(later[:2], never[:2])
    assert np.abs(later[2] - never[2]).max() > 1e-3
