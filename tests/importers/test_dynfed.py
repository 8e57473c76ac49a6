"""Configurations of dyn-fed: files as it ships them, every key, and mistakes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from holdfast import Experiment, load
from holdfast.cli import DONE, WRONG_INPUT, main
from holdfast.errors import InputError
from holdfast.importers.dynfed import imported
from holdfast.importers.dynfed_config import Comms, Config, Data, Distribute, Executor, Model, Optimizer, sections

PRESENT = """
model: {version: TF, type: cnn1, n_iterations: 50, check_overfitting: False}
data: {name: mnist, shuffle: 1, batch_size: 128, shuffle_buffer_size: 100, noniid: 1, unbalanced: 0}
optimizer: {learning_rate: 0.001, clip_norm: 0, clip_val: 0, mu_g: 0.0, n_most_rep: 100, name: adam}
comms: {mode: 2, interval: 1, shap_model: logistic, shap_epochs: 50}
distribute: {n_workers: 8, strategy: mw, remap: 1, quantize: 0, overlap: 0.0, aggregate_mode: 1, delta_switch: 0.0004,
  delta_threshold: 2.2, timeout: 30, send_gradients: 0, norm_epsilon: 1}
executor: {scenario: 99, shared_folder: data/, config_folder: config/}
"""
OLDER = """
model: {n_iterations: 100, shuffle: 0, batch_size: 32}
optimizer: {learning_rate: 0.99, clip_norm: 0, clip_val: 0, mu_g: 0.0, n_most_rep: 50, name: sgd}
executor: {strategy: mw, scenario: 7, remap: 2, quantize: 1, overlap: 0.8, comm_period: 20, aggregate_mode: 2,
  delta_switch: 0.0004, timeout: 15, send_gradients: 0, shared_folder: data/, config_folder: config/}
"""
KINDS = {
    "model": Model,
    "data": Data,
    "optimizer": Optimizer,
    "comms": Comms,
    "distribute": Distribute,
    "executor": Executor,
}


def nested(**keys: Any) -> dict[str, dict[str, Any]]:
    """A configuration of keys that are written section__key."""
    found: dict[str, dict[str, Any]] = {}
    for path, value in keys.items():
        section, _, key = path.partition("__")
        found.setdefault(section, {})[key] = value
    return found


def fields(**keys: Any) -> dict[str, Any]:
    return imported(nested(**keys)).fields


def experiment(**keys: Any) -> Experiment:
    return Experiment(**fields(**keys))


def notes(**keys: Any) -> str:
    return "\n".join(imported(nested(**keys)).notes)


def test_the_file_of_the_present_program():
    found = Experiment(**imported(yaml.safe_load(PRESENT)).fields)
    assert (found.name, found.nodes, found.rounds) == ("dyn-fed scenario 99", 7, 50)
    cnn = {"name": "cnn", "channels": [32], "kernel": 3, "hidden": [128], "dropout": 0.5}
    assert found.problem.model.as_mapping().items() >= cnn.items()
    assert (found.partition.component_name(), found.trigger.as_mapping()) == (
        "sorted_pairs",
        {"name": "loss", "interval": 1},
    )
    algorithm = found.algorithm
    assert (algorithm.component_name(), algorithm.local_epochs, algorithm.batch_size) == ("fedavg", 1, 128)
    assert (algorithm.optimizer.name, algorithm.optimizer.lr, algorithm.weighting) == ("adam", 0.001, "samples")
    assert (algorithm.clip_norm, algorithm.clip_value, algorithm.keep_local) == (None, None, False)
    assert (found.recovery.kind, found.recovery.samples) == ("most_representative", 100)
    assert (found.network.deadline, found.codec) == (30.0, None)


def test_the_file_of_the_program_before_it():
    found = Experiment(**imported(yaml.safe_load(OLDER)).fields)
    assert (found.rounds, found.algorithm.local_epochs, found.algorithm.keep_local) == (100, 1, True)
    assert found.trigger.as_mapping() == {"name": "delta_switch", "every": 20, "threshold": 0.0004}
    assert (found.partition.overlap, found.recovery.kind, found.network.deadline) == (0.8, "repartition", 15.0)
    assert found.codec.as_mapping().items() >= {"name": "linspace", "bins": 100}.items()
    assert (found.algorithm.weighting, found.algorithm.batch_size, found.algorithm.optimizer.lr) == ("loss", 32, 0.99)
    assert "model.type logistic" in imported(yaml.safe_load(OLDER)).notes[0]
    assert "distribute.n_workers 8" in imported(yaml.safe_load(OLDER)).notes[0]


def test_an_empty_file_is_what_dynfed_does_by_itself_and_says_so():
    found = experiment()
    assert (found.nodes, found.rounds, found.algorithm.local_epochs, found.algorithm.batch_size) == (7, 100, 1, 64)
    assert (found.problem.component_name(), found.partition.component_name()) == ("mnist", "iid")
    assert (found.trigger.component_name(), found.recovery.kind) == ("periodic", "none")
    assert "optimizer.learning_rate 0.01" in notes()


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"model__type": "logistic", "data__name": "mnist"}, {"name": "mnist", "model": {"name": "logistic"}}),
        (
            {"model__type": "nn1", "data__name": "fashion-mnist"},
            {"name": "fashion_mnist", "model": {"name": "mlp", "hidden": [128]}},
        ),
        (
            {"model__type": "nn2", "data__name": "fashion_mnist"},
            {"name": "fashion_mnist", "model": {"name": "mlp", "hidden": [128, 128]}},
        ),
        (
            {"model__type": "svm", "data__name": "occupancy"},
            {"name": "occupancy", "model": {"name": "logistic"}, "loss": "hinge"},
        ),
        (
            {"model__type": "linear", "data__name": "year_prediction_msd"},
            {"name": "year_prediction_msd", "model": {"name": "logistic"}},
        ),
    ],
)
def test_every_network_and_data_set(keys, problem):
    assert fields(**keys)["problem"] == problem
    assert experiment(**keys).problem.component_name() == problem["name"]


@pytest.mark.parametrize(
    ("keys", "partition"),
    [
        ({}, {"name": "iid"}),
        ({"data__unbalanced": 1}, {"name": "iid", "unbalanced": 1.0}),
        ({"data__noniid": 1}, {"name": "sorted_pairs"}),
        ({"data__noniid": 1, "data__unbalanced": 1}, {"name": "sorted_pairs", "unbalanced": 1.0}),
        ({"distribute__overlap": 0.25}, {"name": "overlap", "overlap": 0.25}),
    ],
)
def test_every_split(keys, partition):
    assert fields(**keys)["partition"] == partition
    assert experiment(**keys).partition.component_name() == partition["name"]


@pytest.mark.parametrize(
    ("interval", "rounds", "epochs"), [(1, 100, 1), (10, 10, 10), (30, 4, 30), (99, 2, 99), (100, 1, 100)]
)
@pytest.mark.parametrize("mode", [0, 3])
def test_periodic_rounds_are_of_as_many_epochs_as_the_interval(mode, interval, rounds, epochs):
    keys = {"comms__mode": mode, "comms__interval": interval, "distribute__delta_threshold": 0.5}
    found = experiment(**keys)
    assert (found.rounds, found.algorithm.local_epochs) == (rounds, epochs)
    assert (f"{rounds} rounds of {interval} epochs" in notes(**keys)) == (100 % interval > 0)


@pytest.mark.parametrize(
    ("mode", "trigger"),
    [
        (1, {"name": "svd", "interval": 5}),
        (2, {"name": "loss", "interval": 5}),
        (4, {"name": "shapley", "interval": 5, "epochs": 7}),
    ],
)
def test_planned_modes_are_of_one_epoch_a_round(mode, trigger):
    keys = {"comms__mode": mode, "comms__interval": 5, "comms__shap_epochs": 7}
    assert fields(**keys)["trigger"] == trigger
    found = experiment(**keys)
    assert (found.rounds, found.algorithm.local_epochs, found.trigger.component_name()) == (100, 1, trigger["name"])
    assert "keep_local" in notes(**keys)


def test_dynamic_averaging_with_the_threshold_of_the_greatest_tensor():
    found = experiment(comms__mode=3, distribute__delta_threshold=0.8, distribute__aggregate_mode=0)
    algorithm = found.algorithm
    assert (algorithm.component_name(), algorithm.delta, algorithm.norm) == ("dynamic_averaging", 0.8, "max_tensor")
    assert algorithm.weighting == "uniform"
    assert (found.trigger.component_name(), found.trigger.delta) == ("divergence", 0.8)


SWITCH = {"comms__interval": 10, "distribute__delta_switch": 0.25}


def test_a_switch_counts_epochs_as_rounds_in_which_nodes_go_on_from_their_own_model():
    found = experiment(**SWITCH)
    assert found.trigger.as_mapping() == {"name": "delta_switch", "every": 10, "threshold": 0.25}
    assert (found.rounds, found.algorithm.local_epochs, found.algorithm.keep_local) == (100, 1, True)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({**SWITCH, "comms__interval": 1}, "everybody sends after every epoch"),
        ({**SWITCH, "comms__mode": 1}, "comms.mode 1 is not periodic"),
        ({**SWITCH, "comms__mode": 3, "distribute__delta_threshold": 1}, "comms.mode 3 is not periodic"),
        ({**SWITCH, "model__version": "TF"}, "{name: delta_switch, every: 10, threshold: 0.25}"),
    ],
)
def test_a_switch_without_effect_is_named(keys, words):
    assert words in notes(**keys)
    assert experiment(**keys).trigger.component_name() != "delta_switch"
    assert "delta_switch" not in notes(**{**keys, "distribute__delta_switch": 0})


def test_sending_gradients_is_fedsgd_over_all_samples_unless_the_file_says_how_many():
    found = experiment(distribute__send_gradients=1, optimizer__name="adam")
    assert (found.algorithm.component_name(), found.algorithm.batch_size, found.rounds) == ("fedsgd", None, 100)
    assert (found.algorithm.optimizer.name, found.algorithm.optimizer.lr) == ("adam", 0.001)
    assert experiment(distribute__send_gradients=1, data__batch_size=9).algorithm.batch_size == 9
    assert "data.batch_size" not in notes(distribute__send_gradients=1)


def test_the_pull_to_the_global_model_and_clipping():
    found = experiment(optimizer__mu_g=0.5, optimizer__clip_norm=2, optimizer__clip_val=3, comms__interval=10)
    algorithm = found.algorithm
    assert (algorithm.component_name(), algorithm.mu, algorithm.local_epochs) == ("elastic_averaging", 0.5, 10)
    assert (algorithm.clip_norm, algorithm.clip_value) == (2.0, 3.0)


@pytest.mark.parametrize(
    ("label", "name"),
    [(3, "dyn-fed scenario 3"), ("a/b: c", "dyn-fed scenario a-b- c"), (None, "dyn-fed mnist logistic")],
)
def test_the_scenario_is_the_name(label, name):
    assert experiment(executor__scenario=label).name == name


OTHER = {
    "type": "nn1",
    "strategy": "master_worker",
    "shap_model": "logistic",
    "shared_folder": "data/mnist/",
    "config_folder": "here/",
    "tf_dir": "logs/",
}
"""A value of each key that takes no number, besides the names."""


EVERY_KEY = [(section, key) for section, kind in KINDS.items() for key in kind.model_fields]


@pytest.mark.parametrize(("section", "key"), EVERY_KEY)
def test_every_key_is_mapped_or_named(section, key):
    default = KINDS[section].model_fields[key].default
    named = {"data": "fashion-mnist", "optimizer": "adam"}
    number = not default if isinstance(default, bool) else 2
    value = named[section] if key == "name" else OTHER.get(key, number)
    found = imported({section: {key: value}})
    assert found.fields != fields() or f"{section}.{key}" in "\n".join(found.notes)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"comms__interval": 101}, "comms.interval must be at most model.n_iterations, 100, but 101 was given."),
        ({"comms__mode": 3}, "distribute.delta_threshold must be above 0 with comms.mode 3"),
        ({"distribute__aggregate_mode": 4}, "distribute.aggregate_mode must be"),
        ({"distribute__remap": 1, "optimizer__n_most_rep": 0}, "optimizer.n_most_rep must be at least 1"),
        ({"distribute__overlap": 0.1, "data__noniid": 1}, "distribute.overlap must be 0 where data.noniid"),
        ({"distribute__overlap": 0.1, "data__unbalanced": 1}, "distribute.overlap must be 0 where data.noniid"),
        ({"model__type": "linear"}, "model.type must suit the data mnist, but 'linear'"),
        ({"model__type": "cnn1", "data__name": "occupancy"}, "model.type must suit the data occupancy"),
        ({"model__type": "svm", "data__name": "year_prediction_msd"}, "model.type must suit the data year_pred"),
        ({"distribute__send_gradients": 1, "comms__interval": 2}, "send_gradients must be 0 with an interval above 1"),
        (
            {"distribute__send_gradients": 1, "comms__mode": 3, "distribute__delta_threshold": 1},
            "send_gradients must be 0 with comms.mode 3",
        ),
        (
            {"distribute__send_gradients": 1, "optimizer__mu_g": 1},
            "send_gradients must be 0 with optimizer.mu_g above 0",
        ),
        (
            {"optimizer__mu_g": 1, "comms__mode": 3, "distribute__delta_threshold": 1},
            "optimizer.mu_g must be 0 with comms.mode 3",
        ),
    ],
)
def test_what_contradicts_itself_or_is_not_there_is_refused(keys, words):
    with pytest.raises(InputError) as refused:
        fields(**keys)
    assert words in str(refused.value)


def test_notes_of_the_tensorflow_version_name_what_it_does_not_read():
    keys = {"distribute__remap": 1, "distribute__quantize": 1, "optimizer__clip_norm": 2}
    assert "distribute.remap, distribute.quantize, optimizer.clip_norm: as dyn-fed's README" in notes(
        **keys, model__version="TF"
    )
    assert "README" not in notes(**keys)
    assert Config.of(sections(nested(model__version="tf"))).is_tensorflow


def test_the_file_holds_the_notes_as_comments(tmp_path, capsys):
    (tmp_path / "config.yml").write_text(PRESENT)
    assert main(["import-dynfed", str(tmp_path / "config.yml")]) == DONE
    printed = capsys.readouterr()
    assert main(["import-dynfed", str(tmp_path / "config.yml"), "-o", str(tmp_path / "a.yaml")]) == DONE
    told = capsys.readouterr()
    text = (tmp_path / "a.yaml").read_text()
    assert (printed.out, printed.err, told.out) == (text, "", "")
    assert "# distribute.norm_epsilon: dyn-fed never reads it.\n" in text
    assert "distribute.norm_epsilon: dyn-fed never reads it.\n" in told.err
    assert all(len(line) <= 120 for line in text.splitlines())
    assert load(tmp_path / "a.yaml").as_mapping() == Experiment(**imported(yaml.safe_load(PRESENT)).fields).as_mapping()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model: [", "must be YAML"),
        ("comms: {interval: 10}\ncomms: {mode: 1}", "comms must be given once"),
        ("modle: {type: nn1}", "Did you mean 'model'?"),
        ("comms: {mode: svd}", "comms.mode must be"),
        ("comms: {interval: 500}", "comms.interval must be at most"),
    ],
)
def test_mistakes_are_one_paragraph_and_leave_no_file(text, words, tmp_path, capsys):
    (tmp_path / "config.yml").write_text(text)
    assert main(["import-dynfed", str(tmp_path / "config.yml"), "-o", str(tmp_path / "a.yaml")]) == WRONG_INPUT
    told = capsys.readouterr().err.strip()
    assert len(told.splitlines()) == 1, told
    assert words in told
    assert not (tmp_path / "a.yaml").exists()


def test_no_file_is_overwritten(tmp_path, capsys):
    (tmp_path / "config.yml").write_text(PRESENT)
    assert main(["import-dynfed", str(tmp_path / "config.yml"), "-o", str(tmp_path / "config.yml")]) == WRONG_INPUT
    assert "--out must not exist yet" in capsys.readouterr().err
    assert (tmp_path / "config.yml").read_text() == PRESENT


def test_help_has_an_example(capsys):
    assert main(["import-dynfed", "--help"]) == DONE
    assert "Example: holdfast import-dynfed" in " ".join(capsys.readouterr().out.split())
