import os
from pathlib import Path

import pytest
import torch

from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError
from holdfast.problems import Problem

# The published archive is not among the data of the tests.
FIELDS = {"cifar10": {"subset": True}}
# Too large to be among them at all; its own tests make a small file.
ABSENT = {"year_prediction_msd"}


@pytest.fixture(scope="module", params=catalogue("problems"))
def problem(request):
    return catalogue("problems")[request.param](**FIELDS.get(request.param, {}))


@pytest.fixture(scope="module")
def task(problem):
    """The loaded task; a skip where its data are not at hand."""
    folder = os.environ.get("HOLDFAST_DATA")
    try:
        return problem.load(Path(folder) if folder else None)
    except InputError:
        if folder and problem.component_name() not in ABSENT:
            raise
        pytest.skip(f"{problem.component_name()} needs data: set HOLDFAST_DATA")


def test_inputs_are_finite_numbers(task):
    for inputs, _ in (task.train, task.test):
        assert inputs.dtype in (torch.float32, torch.int64)  # int64: places in a list, such as an alphabet
        assert inputs.isfinite().all()


def test_samples_of_both_parts_have_one_shape(task):
    assert task.train[0].shape[1:] == task.test[0].shape[1:]


def test_the_model_takes_the_inputs_and_the_loss_is_one_a_sample(task):
    inputs, targets = task.test[0][:4], task.test[1][:4]
    outputs = task.model()(inputs)
    assert outputs.shape[0] == len(inputs)
    if task.classes is not None:
        assert outputs.shape == (len(inputs), task.classes)
    for function in (task.loss, *task.metrics.values()):
        values = function(outputs, targets)
        assert values.shape == (len(inputs),)
        assert values.isfinite().all()


def test_every_class_occurs(task):
    if task.classes is not None:
        assert set(task.train[1].tolist()) == set(range(task.classes))


def test_an_empty_folder_is_no_obstacle_or_a_clear_error(problem, tmp_path):
    complaint = ""
    try:
        problem.load(tmp_path)
    except InputError as error:
        complaint = str(error)
    assert not complaint or ("--data-dir" in complaint and "HOLDFAST_DATA" in complaint)


def test_it_survives_an_experiment_file(problem):
    assert build(Problem, problem.as_mapping()) == problem


def test_it_describes_itself(problem):
    assert problem.summary().endswith(".")
    assert all(field.description for field in type(problem).model_fields.values())
