from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import holdfast.runtimes.measure as module
from holdfast.problems.base import accuracy, cross_entropy
from holdfast.runtimes.measure import class_mix, consensus_distances, pairwise_distance
from holdfast.runtimes.simulation import Simulation
from holdfast.types import FloatArray

from ..small import cohort, network, samples
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


def test_the_pairwise_distance_is_what_a_plain_loop_says() -> None:
    x_KD = torch.randn(40, 7) + 100  # far from 0, where squares of distances would round
    x_64 = x_KD.double().numpy()
    pairs = [np.linalg.norm(x_64[i] - x_64[j]) for i in range(40) for j in range(40) if i != j]
    assert pairwise_distance(x_KD) == pytest.approx(np.mean(pairs) / np.linalg.norm(x_64.mean(0)), rel=1e-4)
    assert pairwise_distance(torch.ones(1, 3)) == 0
    assert pairwise_distance(torch.zeros(3, 3)) == 0


def test_the_pairwise_distance_is_one_of_the_honest() -> None:
    sim = peers(attack={"name": "sign_flip", "nodes": [2]})
    play(sim, 1)  # the models of the honest are 1 and 3
    assert sim.measure(1)["consensus_pairwise"] == notes(sim).values[1, "consensus_pairwise", None] == 1


def test_samples_are_counted_for_the_run_and_epochs_for_each_peer() -> None:
    fields: dict[str, Any] = {"problem": Blobs(), "nodes": 3, "partition": Cut(sizes=(10, 20, 30)), "topology": "cycle"}
    straggles = [{"name": "straggle", "nodes": [1], "factor": 2}, {"name": "crash", "node": 2, "at_round": 3}]
    sim = simulation(algorithm={"name": "dsgd", "batch_size": 10}, faults=straggles, **fields)
    assert sim.measure(0)["epoch"] == 0
    play(sim, 4)
    assert [notes(sim).values[round, "samples", None] for round in (1, 2, 3, 4)] == [25, 25, 15, 15]
    whole = sim.measure(4)
    assert notes(sim).by_node(4, "epoch") == {0: 4, 1: 1, 2: pytest.approx(2 / 3)}
    assert whole["epoch"] == pytest.approx((4 + 1 + 2 / 3) / 3)


@pytest.mark.parametrize(
    ("algorithm", "samples"),
    [
        ({"name": "dsgd", "batch_size": 8}, 3 * 20 / 3),  # batches of 8, 8 and 4
        ({"name": "gt_hsgd", "batch_size": 8}, 2 * 3 * 20 / 3),
        ({"name": "dinno", "batch_size": None, "primal_iterations": 5}, 5 * 60),
        ({"name": "solo", "batch_size": 8}, 60),
        ({"name": "centralised", "batch_size": 8}, 60),
        ({"name": "fedavg", "local_epochs": 2}, 120),
    ],
)
def test_how_many_samples_a_round_takes(algorithm: dict[str, Any], samples: float) -> None:
    sim = simulation(algorithm=algorithm, problem=Blobs(), nodes=3, partition=Cut())
    play(sim, 2)
    assert [notes(sim).values[round, "samples", None] for round in (1, 2)] == [samples, samples]


def test_epochs_go_on_after_a_checkpoint() -> None:
    fields: dict[str, Any] = {"problem": Blobs(), "nodes": 3, "algorithm": {"name": "dsgd", "batch_size": 10}}
    whole, first, second = (simulation(**fields, topology="cycle") for _ in range(3))
    play(whole, 5)
    play(first, 2)
    second.restore(first.state())
    play(second, 3, 3)
    assert second.measure(5)["epoch"] == whole.measure(5)["epoch"] == 2.5


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
        "personal_accuracy",
        "personal_loss",
    )
    of_peers = ("test_accuracy", "test_loss", "consensus_error", "consensus_pairwise", "epoch")
    assert prepare(algorithm="dsgd", **blobs).metrics == of_peers


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


# ---------------------------------------------------------------- the models that nodes use themselves

SHARDED: dict[str, Any] = {
    "problem": Blobs(),
    "nodes": 3,
    "partition": {"name": "label_shards", "classes_per_node": 2},
    "engine": "sequential",
}
LOCAL: dict[str, Any] = {"local_epochs": 3, "batch_size": 5, "optimizer": {"name": "sgd", "lr": 0.1}}


def test_class_mix_by_hand() -> None:
    # Of the classes 0 to 2, class 2 is not tested. Node 0 holds 0, 0, 0, 1 and 2; node 1 holds 1 and 2; node 2 only 2.
    train = torch.zeros(8, 5), torch.tensor([0, 0, 0, 1, 2, 1, 2, 2])
    test = torch.zeros(5, 5), torch.tensor([0, 1, 1, 1, 1])
    shards = [np.arange(5), np.arange(5, 7), np.array([7])]
    k = cohort(samples([5, 2, 1], train=train, test=test, shards=shards), network("mlp"))
    assert class_mix(k).tolist() == [[0.75, 0.25, 0], [0, 1, 0], [0.2, 0.8, 0]]
    assert class_mix(k.rows(np.array([1]))).tolist() == [[0, 1, 0]]


def models_used(sim: Simulation) -> torch.Tensor:
    """What the nodes use, told apart by hand."""
    x_KD = sim.models().expand(3, -1).clone()
    state = sim.nodes.stores["algorithm"].state()
    if "rows.columns" in state:
        for node, columns, own in zip(state["nodes"], state["rows.columns"], state["rows.own"], strict=True):
            x_KD[node, columns] = own
    elif "rows.own" in state:
        x_KD[state["nodes"]] = state["rows.own"]
    return x_KD


@pytest.mark.parametrize("algorithm", ["fedavg", "ditto", "fedper"])
def test_each_node_is_judged_by_the_model_that_it_uses(algorithm: str) -> None:
    sim = simulation(algorithm={"name": algorithm, **LOCAL}, **SHARDED)
    play(sim, 3)
    whole, log, data = sim.measure(3, last=True), notes(sim), sim.run.data
    for node, x_D in enumerate(models_used(sim)):
        engine, own = sim.run.engine, torch.from_numpy(data.shards[node])
        labels, (inputs, targets) = data.train[1][own], data.test
        share = {c: (labels == c).double().mean() / (targets == c).double().mean() for c in range(3)}
        weights = torch.tensor([share[int(c)] for c in targets])
        views = engine.layout.views(x_D.unsqueeze(0))
        here, there = engine.outputs(views, data.train[0][own])[0], engine.outputs(views, inputs)[0]
        for name, metric in (("accuracy", accuracy), ("loss", cross_entropy)):
            expected = float((weights * metric(there, targets)).mean())
            assert log.values[3, f"personal_{name}", node] == pytest.approx(expected, rel=1e-5)
            assert log.values[3, f"local_{name}", node] == pytest.approx(float(metric(here, labels).mean()), rel=1e-5)
    for name in ("personal_accuracy", "personal_loss"):
        mean = np.mean(list(log.by_node(3, name).values()))
        assert whole[name] == log.values[3, name, None] == pytest.approx(mean)


def test_personal_models_serve_nodes_with_few_classes_better() -> None:
    def personal_accuracy(algorithm: str) -> float:
        # As the classes are told apart by shares, the common model must learn all; each node needs only its own.
        shards = {**SHARDED, "partition": {"name": "label_shards", "classes_per_node": 1}}
        few = {"local_epochs": 1, "optimizer": {"name": "sgd", "lr": 0.1}}
        sim = simulation(algorithm={"name": algorithm, **few}, **shards)
        play(sim, 10)
        return sim.measure(10, last=True)["personal_accuracy"]

    common = personal_accuracy("fedavg")
    assert personal_accuracy("ditto") > common + 0.1
    assert personal_accuracy("fedper") > common + 0.1


def test_in_a_regression_all_test_samples_count_alike() -> None:
    sim = simulation(algorithm="fedavg", **line(2.0, 6.0))
    whole = sim.measure(0, last=True)
    assert whole["personal_loss"] == pytest.approx(whole["test_loss"])
    assert notes(sim).by_node(0, "personal_loss") == dict.fromkeys(range(2), pytest.approx(10))


def test_liars_do_not_count_in_the_mean_unless_all_lie() -> None:
    def found(liars: list[int]) -> tuple[float, dict[int, float]]:
        attack = {"name": "gaussian", "nodes": liars}
        sim = simulation(algorithm={"name": "ditto", **LOCAL}, attack=attack, **SHARDED)
        play(sim, 2)
        return sim.measure(2, last=True)["personal_loss"], notes(sim).by_node(2, "personal_loss")

    whole, each = found([1])
    assert whole == pytest.approx((each[0] + each[2]) / 2)
    whole, each = found([0, 1, 2])
    assert whole == pytest.approx(np.mean(list(each.values())))


def test_who_never_took_part_uses_the_first_model() -> None:
    crash = [{"name": "crash", "node": 2, "at_round": 1}]
    sim = simulation(algorithm={"name": "ditto", **LOCAL}, faults=crash, **SHARDED)
    before = simulation(algorithm={"name": "ditto", **LOCAL}, **SHARDED)
    before.measure(0, last=True)
    play(sim, 2)
    sim.measure(2, last=True)
    assert notes(sim).values[2, "personal_loss", 2] == notes(before).values[0, "personal_loss", 2]
    assert notes(sim).values[2, "personal_loss", 1] < notes(before).values[0, "personal_loss", 1]


def test_of_very_many_nodes_none_is_judged_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCAL_UP_TO", 2)
    sim = simulation(algorithm="fedavg", **SHARDED)
    assert sim.measure(0, last=True).keys() == {"test_accuracy", "test_loss"}
    assert not notes(sim).by_node(0, "local_loss")


def test_what_is_wanted_of_the_nodes_alone() -> None:
    sim = simulation(algorithm="fedavg", metrics=["personal_loss"], **SHARDED)
    assert sim.measure(0).keys() == set()
    assert sim.measure(1, last=True).keys() == {"personal_loss"}
    assert {name for _, name, _ in notes(sim).values} == {"personal_loss"}
