from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import networkx as nx
import numpy as np
import pytest
import torch

from holdfast.aggregators import Aggregator, Robust
from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.partitions import Partition
from holdfast.prepare import Prepared, Preparer, available_metrics
from holdfast.problems import Problem, Task
from holdfast.topologies import Topology
from holdfast.types import IntArray

from .tiny import Blobs, Cut, Line, line, notes, play, prepare, simulation


class Islands(Topology):
    """Pairs of nodes without a link between them."""

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        graph = nx.empty_graph(nodes)
        graph.add_edges_from((i, i + 1) for i in range(0, nodes - 1, 2))
        return graph


class Turning(Topology):
    """A star whose centre is another node in every round: in each of them all nodes but one have one neighbour."""

    changes: ClassVar[bool] = True

    def graph(self, round: int, nodes: int, seed: int) -> nx.Graph:
        return nx.relabel_nodes(nx.star_graph(nodes - 1), lambda node: (node + round) % nodes)


class Mislabelled(Blobs):
    """Says that there are fewer classes than there are."""

    def load(self, data_dir: Path | None = None) -> Task:
        whole = super().load(data_dir)
        return Task(whole.model, whole.train, whole.test, classes=2)


class TestedOnOne(Blobs):
    """All test samples are of class 0."""

    __test__ = False

    def load(self, data_dir: Path | None = None) -> Task:
        whole = super().load(data_dir)
        return Task(whole.model, whole.train, (whole.test[0], torch.zeros_like(whole.test[1])), classes=3)


class Nothing(Problem):
    """Forgets to return its task."""

    def load(self, data_dir: Path | None = None) -> Any:
        return None


class Sharded(Partition):
    """Keeps the strata that it was given."""

    strata: ClassVar[list[IntArray]] = []

    def split(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        Sharded.strata.append(targets)
        return np.array_split(np.arange(len(targets)), nodes)


PEERS = {"algorithm": "dsgd", "problem": Blobs(), "nodes": 6, "engine": "sequential"}
SERVER = {**PEERS, "algorithm": "fedavg"}


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({**PEERS, "topology": Islands()}, "topology must be connected"),
        (
            {**PEERS, "topology": "cycle", "aggregator": {"name": "krum", "f": 1}},
            "topology must give every node at least 4 neighbours for krum, but 'cycle, in which node 0 hears 2",
        ),
        (
            {**PEERS, "topology": "wheel", "aggregator": [{"name": "nnm", "f": 1}, {"name": "nna", "f": 2}]},
            "topology must give every node at least 4 neighbours for nnm and nna, but 'wheel, in which node 1 hears 3",
        ),
        (
            {**PEERS, "topology": Turning(), "aggregator": {"name": "median", "f": 3}},
            "topology must give every node at least 6 neighbours for median, but '.*Turning, in which node 1 hears 5",
        ),
        ({**SERVER, "metrics": ["test_acuracy"]}, "metrics must be .*Did you mean 'test_accuracy'"),
        ({**SERVER, "metrics": ["consensus_error"]}, "metrics must be among those that apply here"),
        ({**PEERS, "topology": "cycle", "metrics": ["local_loss"]}, "metrics must be among those that apply here"),
        ({**SERVER, "device": "cuda:99"}, "device must be a device of this machine.*Use device: cpu"),
        ({**SERVER, "problem": Mislabelled()}, r"problem.train must have labels in 0..1, but 'labels 0..2'"),
        ({**SERVER, "problem": Nothing()}, "problem must load a Task.*returned NoneType"),
        ({**SERVER, "nodes": 61}, "partition must leave every node at least one sample"),
        ({**SERVER, "nodes": 2, "partition": Cut(sizes=(60, 0))}, "partition must leave every node.*first: node 1"),
        (
            {**line(1.0, 2.0), "algorithm": "fedavg", "attack": "label_flip"},
            "attack must suit a problem without classes, but 'label_flip'",
        ),
        (
            {**line(1.0, 2.0), "algorithm": "fedavg", "attack": "backdoor"},
            "attack must suit a problem without classes, but 'backdoor'",
        ),
        ({**SERVER, "attack": {"name": "backdoor", "target": 3}}, r"attack.target must be a class in 0..2, but 3"),
        (
            {**SERVER, "attack": {"name": "backdoor", "size": 3}},
            "attack.size must be at most 2, to fit an input",
        ),
        (
            {**SERVER, "attack": {"name": "bulyan_attack", "coordinate": 27}},
            "attack.coordinate must be less than 27, the columns of a row, but 27",
        ),
        (
            {**SERVER, "attack": "sign_flip", "metrics": ["attack_success"]},
            "metrics must be among those that apply here, but 'attack_success'",
        ),
    ],
)
def test_refuses_before_anything_runs(fields: dict[str, Any], complaint: str) -> None:
    experiment = Experiment(**fields)
    with pytest.raises(InputError, match=complaint):
        Preparer().prepare(experiment)


def test_the_smallest_graph_that_suits_the_rule_is_accepted() -> None:
    run = prepare(**{**PEERS, "topology": "complete", "nodes": 5, "aggregator": {"name": "krum", "f": 1}})
    assert run.peers


@pytest.mark.parametrize("rule", [name for name, cls in catalogue("aggregators").items() if issubclass(cls, Robust)])
def test_every_robust_rule_asks_for_as_many_neighbours_as_it_needs(rule: str) -> None:
    least = build(Aggregator, rule).least
    fields = {**PEERS, "topology": "complete", "aggregator": rule}
    if build(Aggregator, rule).trusted_node is None and not build(Aggregator, rule).of_updates:
        assert prepare(**{**fields, "nodes": max(2, least)}).peers
        with pytest.raises(InputError, match=f"at least {least - 1} neighbours for {rule}, but 'complete, in which"):
            Preparer().prepare(Experiment(**{**fields, "nodes": least - 1}))


def test_a_graph_that_changes_skips_the_rounds_of_those_who_hear_too_few() -> None:
    sim = simulation(
        **{**PEERS, "topology": Turning(), "aggregator": [{"name": "nnm", "f": 1}, {"name": "nna", "f": 1}]}
    )
    play(sim, 2)
    skipped = [(event.round, event.node) for event in notes(sim).noted if event.kind == "skipped"]
    assert skipped == [(round, node) for round in (1, 2) for node in range(6) if node != round]
    assert all(event.detail == {"rows": 2, "required": 3} for event in notes(sim).noted if event.kind == "skipped")


def test_the_coordinators_star_needs_no_neighbours_for_its_rule() -> None:
    assert not prepare(**{**SERVER, "aggregator": {"name": "krum", "f": 1}}).peers


def variants(**fields: Any) -> dict[str, Prepared]:
    preparer = Preparer()
    return {name: preparer.prepare(variant) for name, variant in Experiment(**fields).runs()}


@pytest.mark.parametrize("engine", ["auto", "sequential"])
def test_variants_share_data_split_and_first_model(engine: str) -> None:
    runs = variants(
        **{**SERVER, "problem": Blobs(batch_norm=True), "engine": engine},
        variants={
            "plain": {},
            "robust": {"aggregator": "median", "attack": {"name": "nan", "nodes": 1}},
            "slow": {"algorithm.optimizer.lr": 0.01},
            "other": {"algorithm": "robust_sgd"},
        },
    )
    first, *others = runs.values()
    for other in others:
        assert other.data is first.data
        assert torch.equal(other.parts.initial_D, first.parts.initial_D)
    statistics = first.engine.layout.views(first.parts.initial_D)["1.num_batches_tracked"]
    assert statistics.item() == 0, "the choice of the engine moved the model"


def test_other_nodes_or_another_seed_is_another_split() -> None:
    runs = variants(**SERVER, variants={"six": {}, "five": {"nodes": 5}, "seed": {"seed": 2}})
    assert [len(run.data.shards) for run in runs.values()] == [6, 5, 6]
    assert runs["six"].data.shards[0].tolist() != runs["seed"].data.shards[0].tolist()
    assert torch.equal(runs["six"].parts.initial_D, runs["five"].parts.initial_D)
    assert not torch.equal(runs["six"].parts.initial_D, runs["seed"].parts.initial_D)


def test_the_first_model_depends_on_the_experiments_seed_alone() -> None:
    torch.manual_seed(1)
    first = prepare(**SERVER).parts.initial_D
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(prepare(**SERVER).parts.initial_D, first)
    assert torch.equal(torch.get_rng_state(), before), "the user's generator was used"


def test_the_strata_of_a_regression_are_quintiles() -> None:
    values = np.random.default_rng(1).permutation(100).astype(float)
    problem = Line(inputs=((1.0,),) * 100, targets=tuple(values.tolist()))
    prepare(algorithm="fedavg", problem=problem, nodes=2, partition=Sharded(), engine="sequential")
    assert Sharded.strata[-1].tolist() == (values // 20).astype(int).tolist()


def test_the_strata_of_classes_are_the_classes() -> None:
    prepare(**{**SERVER, "partition": Sharded()})
    assert Sharded.strata[-1].tolist() == [i % 3 for i in range(60)]


def test_dirichlet_splits_a_regression() -> None:
    values = np.random.default_rng(1).normal(size=300)
    problem = Line(inputs=((1.0,),) * 300, targets=tuple(values.tolist()))
    partition = {"name": "dirichlet", "alpha": 0.1, "min_samples": 5}
    run = prepare(algorithm="fedavg", problem=problem, nodes=3, partition=partition, engine="sequential")
    shards = [np.asarray(shard) for shard in run.data.shards]
    assert sorted(np.concatenate(shards).tolist()) == list(range(300))
    means = [values[shard].mean() for shard in shards]
    assert max(means) - min(means) > 0.3, "no skew"


def test_the_chosen_engine_is_pinned() -> None:
    run = prepare(**{**SERVER, "engine": "auto"})
    assert run.experiment.engine in ("stacked", "sequential")
    assert run.experiment.chunk_rows == run.engine.chunk
    assert run.timings
    again = Preparer().prepare(run.experiment)
    assert (again.engine.name, again.engine.chunk) == (run.engine.name, run.engine.chunk)


def test_the_attackers_are_known() -> None:
    run = prepare(**SERVER, attack={"name": "sign_flip", "nodes": [4, 1]})
    assert run.parts.byzantine.tolist() == [1, 4]
    assert run.honest.tolist() == [0, 2, 3, 5]
    assert run.cohort(np.array([0, 4]), round=1).poisoned.tolist() == [False, True]


def test_poisoned_only_while_they_attack() -> None:
    run = prepare(**SERVER, attack={"name": "label_flip", "nodes": [4], "from_round": 2, "until_round": 3})
    poisoned = [run.cohort(np.array([0, 4]), round).poisoned.tolist() for round in (1, 2, 3, 4)]
    assert poisoned == [[False, False], [False, True], [False, True], [False, False]]


def test_the_probe_is_made_of_the_test_samples() -> None:
    run = prepare(**SERVER, attack={"name": "label_flip", "nodes": [4]})
    inputs, targets = run.data.test
    assert run.probe is not None
    assert torch.equal(run.probe[0], inputs[targets != 1])
    assert torch.equal(run.probe[1], 2 - targets[targets != 1])
    assert prepare(**SERVER).probe is None
    assert prepare(**SERVER, attack="sign_flip").probe is None


def test_success_is_a_metric_where_it_shows_on_a_sample() -> None:
    for attack, expected in [("label_flip", True), ("backdoor", True), ("pixel_scale", False), ("alie", False)]:
        for fields in (SERVER, {**PEERS, "topology": "cycle"}):
            assert ("attack_success" in prepare(**fields, attack=attack).metrics) is expected
    assert "attack_success" not in prepare(**{**SERVER, "problem": TestedOnOne()}, attack="backdoor").metrics


def test_available_metrics() -> None:
    task = Blobs().load()
    server, peers = Experiment(**SERVER), Experiment(**{**PEERS, "topology": "cycle"})
    of_nodes = ("local_accuracy", "local_loss", "personal_accuracy", "personal_loss")
    assert available_metrics(server, task) == ("test_accuracy", "test_loss", *of_nodes)
    of_peers = ("test_accuracy", "test_loss", "consensus_error", "consensus_pairwise", "epoch")
    assert available_metrics(peers, task) == of_peers
    changing = Experiment(**{**PEERS, "topology": "random_matching"})
    assert available_metrics(changing, task) == (*of_peers, "spectral_gap", "algebraic_connectivity")


class Secret(Sharded):
    """Of which no process knows who holds what."""

    public: ClassVar[bool] = False


def test_a_baseline_on_pooled_data_needs_a_process_that_knows_them_all() -> None:
    fields = {**PEERS, "algorithm": "centralised", "topology": "cycle"}
    prepare(**fields)
    with pytest.raises(InputError, match="partition must let one process hold all samples for centralised"):
        prepare(**fields, partition=Secret())


def test_an_algorithm_may_use_other_links_than_the_topology_has() -> None:
    fields = {**PEERS, "topology": "cycle"}
    plain, alone, pairs = (prepare(**{**fields, "algorithm": name}) for name in ("dsgd", "solo", "gossip"))
    np.testing.assert_array_equal(plain.weights(3).toarray(), plain.mixing(1).toarray())
    np.testing.assert_array_equal(alone.weights(3).toarray(), np.eye(6))
    assert set(np.count_nonzero(pairs.weights(3).toarray(), axis=1).tolist()) <= {1, 2}
    assert any((pairs.weights(round) != pairs.weights(1)).nnz for round in range(2, 40))
