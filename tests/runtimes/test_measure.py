from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from holdfast.runtimes.measure import consensus_distances
from holdfast.runtimes.simulation import Simulation
from holdfast.types import FloatArray

from ..tiny import Blobs, Cut, Line, line, notes, play, prepare, simulation


def test_consensus_distances_by_hand() -> None:
    x_KD = torch.tensor([[3.0, 0.0], [1.0, 4.0], [100.0, 100.0]])
    # The first two have the mean (2, 2) of norm √8, and are √5 away from it.
    distances_K = consensus_distances(x_KD, np.array([0, 1]))
    assert distances_K[:2].tolist() == pytest.approx([np.sqrt(5 / 8)] * 2)
    assert distances_K[2].item() == pytest.approx(98 * np.sqrt(2 / 8))
    assert consensus_distances(torch.zeros(3, 2), np.arange(3)).tolist() == [0, 0, 0]


def peers(**fields: Any) -> Any:
    algorithm = {"name": "dsgd", "batch_size": None, "lr": 0.5}
    return simulation(algorithm=algorithm, topology="complete", **{**line(2.0, 6.0, 1000.0), **fields})


def test_of_peers_the_honest_count() -> None:
    sim = peers(attack={"name": "sign_flip", "nodes": [2]})
    play(sim, 1)  # the models are 1, 3 and 500; the losses the mean of ½(w - 2)², ½(w - 6)² and ½(w - 1000)²
    whole, log = sim.measure(1), notes(sim)
    losses = [np.mean([0.5 * (w - b) ** 2 for b in (2, 6, 1000)]) for w in (1, 3, 500)]
    assert whole["test_loss"] == log.values[1, "test_loss", None] == pytest.approx(np.mean(losses[:2]))
    assert list(log.by_node(1, "test_loss").values()) == pytest.approx(losses)
    assert whole["consensus_error"] == log.values[1, "consensus_error", None] == pytest.approx(0.5)
    assert list(log.by_node(1, "consensus_error").values()) == pytest.approx([0.5, 0.5, 249])


def test_the_consensus_error_is_a_root_mean_square() -> None:
    sim = peers(**line(2.0, 4.0, 12.0))
    play(sim, 1)  # the models are 1, 2 and 6, of mean 3
    assert sim.measure(1)["consensus_error"] == pytest.approx(np.sqrt((4 + 1 + 9) / 3) / 3)


def test_where_all_lie_all_count() -> None:
    sim = peers(attack={"name": "sign_flip", "nodes": [0, 1, 2]})
    play(sim, 1)
    assert np.isfinite(sim.measure(1)["test_loss"])


def test_the_coordinators_model_is_judged_on_the_test_set_and_at_last_on_each_node() -> None:
    problem = Line(inputs=((1.0,),) * 4, targets=(2.0, 4.0, 6.0, 8.0))
    fields: dict[str, Any] = {"problem": problem, "nodes": 2, "partition": Cut(sizes=(1, 3)), "engine": "sequential"}
    sim = simulation(algorithm="fedavg", **fields)
    whole, log = sim.measure(0), notes(sim)
    assert whole == {"test_loss": pytest.approx((2 + 8 + 18 + 32) / 4)}
    assert log.values == {(0, "test_loss", None): whole["test_loss"]}
    sim.measure(1, last=True)
    assert log.by_node(1, "local_loss") == {0: pytest.approx(2), 1: pytest.approx((8 + 18 + 32) / 3)}


def test_only_what_is_wanted_is_measured() -> None:
    blobs: dict[str, Any] = {"problem": Blobs(), "nodes": 3, "engine": "sequential"}
    sim = simulation(algorithm="fedavg", metrics=["test_accuracy"], **blobs)
    assert sim.measure(0, last=True).keys() == {"test_accuracy"}
    assert {name for _, name, _ in notes(sim).values} == {"test_accuracy"}
    none = simulation(algorithm="fedavg", metrics=[], **blobs)
    assert none.measure(0, last=True) == {}
    assert notes(none).values == {}


def test_everything_that_applies_is_measured_by_default() -> None:
    blobs: dict[str, Any] = {"problem": Blobs(), "nodes": 3, "engine": "sequential"}
    assert prepare(algorithm="fedavg", **blobs).metrics == (
        "test_accuracy",
        "test_loss",
        "local_accuracy",
        "local_loss",
    )
    assert prepare(algorithm="dsgd", **blobs).metrics == ("test_accuracy", "test_loss", "consensus_error")


def answered_as_wished(sim: Simulation, x_D: FloatArray) -> float:
    """By hand, with the classes of three mirrored: of the test samples of classes 0 and 2, how many are exchanged."""
    engine, (inputs, targets) = sim.run.engine, sim.run.data.test
    logits = engine.outputs(engine.layout.views(torch.tensor(x_D).float().unsqueeze(0)), inputs)[0]
    kept = targets != 1
    return float((logits.argmax(1)[kept] == 2 - targets[kept]).double().mean())


@pytest.mark.parametrize("algorithm", ["fedavg", "dsgd"])
def test_the_success_of_an_attack(algorithm: str) -> None:
    blobs: dict[str, Any] = {"problem": Blobs(), "nodes": 3, "engine": "sequential"}
    sim = simulation(algorithm=algorithm, attack={"name": "label_flip", "nodes": [0, 1]}, **blobs)
    models = play(sim, 5)[-1]
    expected = [answered_as_wished(sim, x_D) for x_D in models]
    whole, log = sim.measure(5), notes(sim)
    if algorithm == "dsgd":  # of peers, the honest one counts
        assert list(log.by_node(5, "attack_success").values()) == pytest.approx(expected)
        expected = expected[2:]
    assert whole["attack_success"] == log.values[5, "attack_success", None] == pytest.approx(expected[0])


def test_an_attack_by_most_succeeds_and_one_by_nobody_does_not() -> None:
    def success(attackers: tuple[int, ...]) -> float:
        algorithm = {"name": "fedavg", "local_epochs": 5, "optimizer": {"name": "sgd", "lr": 0.2}}
        attack = {"name": "backdoor", "size": 1, "value": 9, "target": 2, "nodes": attackers}  # up there is class 1
        blobs: dict[str, Any] = {"problem": Blobs(), "nodes": 3, "engine": "sequential"}
        sim = simulation(algorithm=algorithm, attack=attack, **blobs)
        play(sim, 8)
        return sim.measure(8)["attack_success"]

    assert success((0, 1)) > 0.7 > 0.1 > success(())
