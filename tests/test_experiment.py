"""Experiment files: defaults, variants, overrides, and the resolved file."""

from __future__ import annotations

import json

import pytest
import yaml

from holdfast import Experiment, InputError, load
from holdfast.aggregators import Krum, Mean, TrimmedMean
from holdfast.algorithms import FedAvg
from holdfast.due import NEVER

SMALL = {"problem": "digits", "algorithm": "fedavg", "nodes": 6}


def write(folder, text: str, name: str = "a.yaml"):
    path = folder / name
    path.write_text(text)
    return path


def test_names_mappings_and_objects_mean_the_same():
    by_name = Experiment(**SMALL, aggregator={"name": "trimmed_mean", "f": 2})
    by_object = Experiment(problem="digits", algorithm=FedAvg(), nodes=6, aggregator=TrimmedMean(f=2))
    assert by_name == by_object


def test_the_mean_is_the_rule_of_a_coordinator_and_peers_mix():
    assert Experiment(**SMALL).aggregator == Mean()
    assert Experiment(problem="digits", algorithm="dsgd", topology="cycle").aggregator is None


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_the_resolved_experiment_reads_back_to_itself(tmp_path, form):
    experiment = Experiment(
        **SMALL,
        attack={"name": "alie", "nodes": [1, 2]},
        aggregator=[{"name": "nnm", "f": 1}, {"name": "krum", "f": 1}],
        codec={"name": "error_feedback", "codec": [{"name": "top_k", "fraction": 0.1}, "int8"]},
        faults=["drop", {"name": "crash", "node": 2, "at_round": 3, "back_at": 5}],
        variants={"robust": {}, "plain": {"aggregator": "mean", "algorithm.optimizer.lr": 0.01}},
    )
    text = experiment.as_yaml() if form == "yaml" else json.dumps(experiment.as_mapping())
    assert load(write(tmp_path, text)) == experiment


def test_every_default_is_written_out():
    mapping = Experiment(**SMALL).as_mapping()
    assert set(mapping) == set(Experiment.model_fields)
    assert mapping["algorithm"]["batch_size"] == 32
    assert mapping["problem"]["model"]["name"] == "mlp"


def test_variants_replace_whole_fields_and_dotted_ones_reach_inside():
    experiment = Experiment(
        **SMALL,
        aggregator={"name": "krum", "f": 1},
        variants={"as it is": {}, "mean": {"aggregator": "mean"}, "slow": {"algorithm.optimizer.lr": 0.01}},
    )
    runs = dict(experiment.runs())
    assert runs["as it is"].aggregator == Krum(f=1)
    assert runs["mean"].aggregator == Mean()
    assert runs["slow"].algorithm.optimizer.lr == 0.01
    assert runs["slow"].aggregator == Krum(f=1)
    assert runs["as it is"].algorithm.optimizer.lr == 0.1


def test_a_variant_may_change_the_world_of_the_algorithm():
    experiment = Experiment(**SMALL, variants={"star": {}, "graph": {"algorithm": "dsgd", "topology": "cycle"}})
    runs = dict(experiment.runs())
    assert runs["star"].aggregator == Mean()
    assert runs["graph"].aggregator is None


def test_without_variants_there_is_one_run():
    assert [name for name, _ in Experiment(**SMALL).runs()] == ["main"]


def test_overrides_are_yaml_values_at_dotted_paths(tmp_path):
    path = write(tmp_path, "problem: digits\nalgorithm: fedavg\n")
    experiment = load(path, ["algorithm.optimizer.lr=0.05", "aggregator={name: krum, f: 2}", "rounds=7"])
    assert (experiment.algorithm.optimizer.lr, experiment.aggregator, experiment.rounds) == (0.05, Krum(f=2), 7)


def test_a_module_beside_the_file_is_found(tmp_path):
    write(
        tmp_path,
        "from holdfast.aggregators import Aggregator\n"
        "class First(Aggregator):\n"
        "    '''The first row.'''\n"
        "    def aggregate(self, state, x_MD, weights_M=None, pivot_D=None):\n"
        "        return state, x_MD[..., 0, :]\n",
        "my_rules_for_this_test.py",
    )
    text = "problem: digits\nalgorithm: fedavg\naggregator: 'my_rules_for_this_test:First'\n"
    experiment = load(write(tmp_path, text))
    assert experiment.aggregator.component_name() == "my_rules_for_this_test:First"
    assert yaml.safe_load(experiment.as_yaml())["aggregator"] == {"name": "my_rules_for_this_test:First"}


def test_blame_names_the_place_where_the_user_wrote_it():
    experiment = Experiment(**SMALL, variants={"a": {"rounds": 3}})
    assert experiment.blame("a", InputError("rounds", "x", 1, "y")).field == "variants.a.rounds"
    assert experiment.blame("a", InputError("nodes", "x", 1, "y")).field == "nodes"


@pytest.mark.parametrize("what", ["evaluate", "checkpoint", "summary"])
def test_null_is_never_in_python_and_null_in_the_file(tmp_path, what):
    experiment = load(write(tmp_path, f"problem: digits\nalgorithm: fedavg\n{what}_every: null\n"))
    assert getattr(experiment, f"{what}_every") == NEVER
    assert experiment.as_mapping()[f"{what}_every"] is None
    assert Experiment(**experiment.as_mapping()) == experiment
    types = Experiment.model_json_schema()["properties"][f"{what}_every"]["anyOf"]
    assert {part["type"] for part in types} == {"integer", "null"}
    with pytest.raises(InputError, match=f"{what}_every must be greater than or equal to 1"):
        Experiment(**SMALL, **{f"{what}_every": 0})
    with pytest.raises(InputError, match=f"{what}_period must be greater than 0"):
        Experiment(**SMALL, **{f"{what}_period": 0})
