"""Grids of dyn-fed: which combinations are left, and what each of them is."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import yaml

from holdfast.cli import DONE, WRONG_INPUT, main
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.importers.dynfed import imported
from holdfast.importers.dynfed_grid import swept
from holdfast.sweep.grid import load_sweep

GRID = {
    "n_workers": [8],
    "model_version": ["TF"],
    "model_type": ["logistic", "nn1", "nn2"],
    "mode": [0, 1, 3, 4],
    "aggregate_mode": [0, 1],
    "interval": [1, 10, 20, 100],
    "data_name": ["fashion-mnist"],
    "delta_threshold": [0.0, 0.3, 2.2],
    "noniid": [0, 1],
    "unbalanced": [0],
    "optimizer": ["sgd", "adam"],
    "scenario": [1, 2],
}
CONFIG = {"optimizer": {"name": "sgd", "learning_rate": 0.5}, "distribute": {"remap": 1, "delta_switch": 0.0004}}


def left_in(cell: dict[str, Any]) -> bool:
    """Whether dyn-fed would run a combination, in plain words."""
    mode, interval, kind, threshold = (cell[key] for key in ("mode", "interval", "model_type", "delta_threshold"))
    if mode > 0 and interval > 1:
        return False
    if kind in ("nn1", "cnn1") and interval in (20, 100):
        return False
    if interval > (100 if kind == "logistic" else 50):
        return False
    if mode != 3:
        return threshold == 0
    return threshold >= 2 if cell["optimizer"] == "adam" else threshold > 0


def alone(cell: dict[str, Any]) -> Experiment:
    """The experiment that a configuration of the same values describes."""
    epochs = 100 if cell["model_type"] == "logistic" else 50
    rate = {"learning_rate": 0.5 if cell["optimizer"] == "sgd" else 0.001}
    content = {
        "model": {"type": cell["model_type"], "n_iterations": epochs},
        "data": {"name": cell["data_name"], "noniid": cell["noniid"], "unbalanced": cell["unbalanced"]},
        "optimizer": {"name": cell["optimizer"], **rate},
        "comms": {"mode": cell["mode"], "interval": cell["interval"]},
        "distribute": {
            "n_workers": cell["n_workers"],
            "aggregate_mode": cell["aggregate_mode"],
            "delta_threshold": cell["delta_threshold"],
            "remap": 1,
        },
    }
    return Experiment(**imported(content).fields)


def test_every_combination_that_is_left_is_what_a_configuration_of_its_own_would_be():
    axes = {key: values for key, values in GRID.items() if key not in ("model_version", "scenario")}
    wanted = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    expected = {
        tuple(f"{v:g}" if isinstance(v, float) else str(v) for v in c.values()): c for c in wanted if left_in(c)
    }
    found = load_sweep(swept(CONFIG, GRID).fields)
    assert {tuple(cell.labels[key] for key in axes) for cell in found.cells} == expected.keys()
    assert len(found.cells) == len(expected)
    for cell in found.cells:
        own = alone(expected[tuple(cell.labels[key] for key in axes)])
        assert cell.experiment.as_mapping() | {"name": ""} == own.as_mapping() | {"name": ""}


def test_what_the_grid_does_not_say_is_as_in_the_configuration():
    content = {"model": {"type": "nn1"}, "comms": {"interval": 10}, "data": {"unbalanced": 1}}
    found = load_sweep(swept(content, {"n_workers": [3, 5]}).fields)
    assert [axis.name for axis in found.axes] == ["n_workers", "model_type", "mode", "optimizer", "interval"]
    assert [cell.experiment.nodes for cell in found.cells] == [2, 4]
    assert {cell.experiment.rounds for cell in found.cells} == {math.ceil(50 / 10)}
    assert {cell.experiment.partition.unbalanced for cell in found.cells} == {1.0}


def test_a_fixed_threshold_is_no_axis_and_leaves_nothing_out():
    found = load_sweep(swept({"distribute": {"delta_threshold": 0.7}}, {"mode": [0, 3]}).fields)
    assert [cell.experiment.algorithm.component_name() for cell in found.cells] == ["fedavg", "dynamic_averaging"]
    assert found.cells[1].experiment.algorithm.delta == 0.7


def test_a_grid_that_sends_gradients():
    found = load_sweep(swept({"distribute": {"send_gradients": 1}}, {"mode": [0, 1]}).fields)
    assert {cell.experiment.algorithm.component_name() for cell in found.cells} == {"fedsgd"}


def test_what_makes_no_axis_is_named_once():
    told = swept(CONFIG, GRID).notes
    assert len(told) == len(set(told))
    text = "\n".join(told)
    assert all(f"{key}: " in text for key in ("model_version", "scenario", "model.n_iterations"))
    assert "distribute.delta_switch: left out" in text
    assert "model.type" not in told[2]


@pytest.mark.parametrize(
    ("content", "lists", "words"),
    [
        ({}, {"intervall": [1]}, "intervall must be a key of dyn-fed's experiments.yml"),
        ({}, {"interval": 1}, "interval must be a list of values, but 1 was given. Write interval: [1]"),
        ({}, {"interval": []}, "interval must be a list of values"),
        ({}, {"interval": [1, 1]}, "interval must hold different values"),
        ({}, {"delta_threshold": [0, 0.0]}, "delta_threshold must hold different values"),
        ({}, {"mode": [0, 7]}, "mode 7: comms.mode must be 0, 1, 2, 3 or 4"),
        ({}, {"mode": ["svd"]}, "mode svd: comms.mode must be"),
        ({}, {"mode": [[0]]}, "mode [0]: comms.mode must be"),
        ({}, {"interval": [1, "1"]}, "interval must hold different values"),
        ({}, {"delta_threshold": ["much"]}, "delta_threshold much: distribute.delta_threshold must be a number"),
        ({}, {"interval": [500]}, "interval 500: comms.interval must be at most model.n_iterations, 100"),
        ({}, {"mode": [0, 3]}, "mode 3: distribute.delta_threshold must be above 0"),
        ({}, {"aggregate_mode": [1, 4]}, "aggregate_mode 4: distribute.aggregate_mode must be"),
        (
            {},
            {"model_type": ["logistic", "cnn1"], "data_name": ["mnist", "occupancy"]},
            "model_type cnn1: model.type must suit the data occupancy",
        ),
        ({"distribute": {"overlap": 0.5}}, {"noniid": [0, 1]}, "noniid 1: distribute.overlap must be 0"),
        ({"distribute": {"send_gradients": 1}}, {"interval": [1, 10]}, "send_gradients must be 0 with an interval"),
        ({"optimizer": {"mu_g": 1}, "comms": {"interval": 0}}, {}, "comms.interval must be"),
    ],
)
def test_mistakes_name_the_list_and_the_value(content, lists, words):
    with pytest.raises(InputError) as refused:
        swept(content, lists)
    assert words in str(refused.value)


def test_the_file_is_one_for_holdfast_sweep(tmp_path, capsys):
    (tmp_path / "config.yml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "experiments.yml").write_text("mode: [0, 1]\ninterval: [1, 10]\n")
    files = [str(tmp_path / name) for name in ("config.yml", "experiments.yml")]
    assert main(["import-dynfed", *files, "--out", str(tmp_path / "grid.yaml")]) == DONE
    assert "model.n_iterations: logistic is trained for 100 epochs" in capsys.readouterr().err
    assert [cell.experiment.rounds for cell in load_sweep(tmp_path / "grid.yaml").cells] == [100, 10, 100]


def test_a_grid_of_which_nothing_is_left(tmp_path, capsys):
    (tmp_path / "config.yml").write_text("{}")
    (tmp_path / "experiments.yml").write_text("mode: [1]\ninterval: [10]\n")
    files = [str(tmp_path / name) for name in ("config.yml", "experiments.yml")]
    assert main(["import-dynfed", *files, "--out", str(tmp_path / "grid.yaml")]) == WRONG_INPUT
    told = capsys.readouterr().err.strip()
    assert len(told.splitlines()) == 1
    assert "where must leave at least one cell" in told
    assert not (tmp_path / "grid.yaml").exists()
