"""Keys of nn_distributed_training: what is checked, and what a mistake is told."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.errors import InputError
from holdfast.importers.nndt_config import Config, Dinno, Dsgd, Dsgt
from tests.importers.nndt import DSGD, DSGT, classifier, mapping, problem


def refused(content: dict[str, Any]) -> str:
    with pytest.raises(InputError) as error:
        Config.of(content)
    return str(error.value)


def test_each_problem_has_the_keys_of_its_algorithm():
    config = Config.of(classifier(problem("a"), problem("b", DSGT), problem("c", DSGD)))
    assert [type(run.algorithm) for run in config.runs.values()] == [Dinno, Dsgt, Dsgd]
    assert list(config.runs) == ["a", "b", "c"]


def test_given_names_every_key_of_the_file_once():
    config = Config.of(classifier(problem("a"), problem("b")))
    assert {"experiment.graph.type", "problem_configs.*.optimizer_config.rho_init"} <= set(config.given)
    assert len(config.given) == len(set(config.given))
    assert "experiment.use_cuda" not in config.given


@pytest.mark.parametrize("place", ["evaluate_frequency", "metrics_config"])
def test_the_evaluation_frequency_stands_in_either_place(place):
    value = {"evaluate_frequency": 7} if place == "metrics_config" else 7
    section = {**problem("a"), "evaluate_frequency": None, place: value}
    assert Config.of(classifier(section)).runs["a"].evaluate_every == 7


@pytest.mark.parametrize("value", [{}, 3, None, ["a"]])
@pytest.mark.parametrize("key", ["experiment", "problem_configs"])
def test_a_section_must_hold_keys(key, value):
    assert refused({**classifier(problem("a")), key: value}).startswith(f"{key} must map keys to values")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"nmae": "x"}, "experiment.nmae must be a known key, but 'nmae' was given. Did you mean 'name'?"),
        ({"loss": "MSE"}, "experiment.loss must be 'NLL', but 'MSE' was given"),
        ({"data_split_type": "hetro"}, "experiment.data_split_type must be 'hetero' or 'random'"),
        ({"graph": {"num_nodes": 5, "type": "wheal"}}, "experiment.graph.type must be 'wheel', 'cycle', 'complete' or"),
        ({"graph": {"num_nodes": 5, "type": "wheel", "q": 1}}, "experiment.graph.q must be a known key"),
        ({"graph": {"type": "wheel"}}, "experiment.graph.num_nodes must be given"),
        ({"graph": {"num_nodes": 5, "type": "random", "p": 0}}, "experiment.graph.p must be greater than 0"),
        ({"model": {"num_filters": 3}}, "experiment.model.kernel_size must be given"),
        ({"individual_training": {"optimizer": "lbfgs"}}, "experiment.individual_training.optimizer must be"),
        ({"name": None}, "experiment.name must be a valid string"),
    ],
)
def test_mistakes_in_the_experiment_are_named(changed, words):
    content = classifier(problem("a"))
    content["experiment"] |= changed
    assert words in refused(content)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"train_batch_size": "many"}, "problem_configs.p0.train_batch_size must be an integer, but 'many'"),
        ({"batch_size": 64}, "problem_configs.p0.batch_size must be a known key"),
        ({"metrics": ["top2_accuracy"]}, "problem_configs.p0.metrics.0 must be 'forward_pass_count'"),
        ({"problem_name": "a/b"}, "problem_configs.p0.problem_name must match"),
        ({"evaluate_frequency": None}, "problem_configs.p0.metrics_config.evaluate_frequency must be given once"),
        ({"metrics_config": {"evaluate_frequency": 3}}, "evaluate_frequency must be given once, but (20, 3) was given"),
        ({"optimizer_config": {}}, "problem_configs.p0.optimizer_config.alg_name must be an algorithm, but None"),
        ({"optimizer_config": {"alg_name": "dino"}}, "Did you mean 'dinno'?"),
    ],
)
def test_mistakes_in_a_problem_are_named(changed, words):
    assert words in refused(classifier({**problem("a"), **changed}))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"rho_init": 0}, "problem_configs.p0.optimizer_config.rho_init must be greater than 0, but 0 was given"),
        ({"rho_scaling": 0.5}, "optimizer_config.rho_scaling must be greater than or equal to 1"),
        ({"persistent_primal_opt": True}, "Did you mean 'persistant_primal_opt'?"),
        ({"primal_optimizer": "rmsprop"}, "optimizer_config.primal_optimizer must be 'adam', 'adamw' or 'sgd'"),
        ({"alpha": 0.1}, "optimizer_config.alpha must be a known key"),
        ({"primal_lr": 0.1}, "optimizer_config.primal_lr_start must be given once"),
        ({"primal_lr_start": None}, "optimizer_config.primal_lr_start must be given once"),
        ({"primal_lr_finish": None}, "optimizer_config.primal_lr_finish must be given and at most the first, 0.005"),
        ({"primal_lr_finish": 0.1}, "optimizer_config.primal_lr_finish must be given and at most the first, 0.005"),
        ({"lr_decay_type": "cosine"}, "optimizer_config.lr_decay_type must be 'constant', 'linear' or 'log'"),
    ],
)
def test_mistakes_in_an_algorithm_are_named(changed, words):
    section = problem("a")
    section["optimizer_config"] |= changed
    assert words in refused(classifier(section))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"beam_length": None}, "experiment.data.beam_length must be given once"),
        ({"scan_dist_scale": 0.1}, "experiment.data.beam_length must be given once"),
        ({"clipped_lidar": True}, "experiment.data.clipped_lidar must be False"),
        ({"split_type": "random"}, "experiment.data.split_type must be trajectory with num_scans_in_window"),
        ({"spline_res": None}, "experiment.data.spline_res must be given"),
        ({"split_type": "random", "num_scans_in_window": None}, "experiment.data.num_scans must be given"),
        ({"num_scans_in_window": None}, "experiment.graph must be given without data.num_scans_in_window"),
        ({"num_beam": 3}, "experiment.data.num_beam must be a known key"),
    ],
)
def test_mistakes_in_the_data_of_a_map_are_named(changed, words):
    content = mapping(problem("a"))
    content["experiment"]["data"] |= changed
    assert words in refused(content)


@pytest.mark.parametrize("shape", [[3, 64, 1], [2, 64, 2]])
def test_a_map_takes_a_place_to_a_density(shape):
    content = mapping(problem("a"))
    content["experiment"]["model"]["shape"] = shape
    assert "experiment.model.shape must begin with 2 and end with 1" in refused(content)


def test_two_problems_of_one_name_are_refused():
    words = refused(classifier(problem("a"), problem("a")))
    assert words.startswith("problem_configs.p1.problem_name must be no other problem's, but 'a' was given")


@pytest.mark.parametrize("key", ["problem", "optimizer_configs"])
def test_another_section_is_named(key):
    words = refused({**classifier(problem("a")), key: {}})
    assert words.startswith(f"{key} must be a section of nn_distributed_training's")
    assert "Did you mean 'problem_configs'?" in words


def test_the_misspelt_key_of_the_documentation_is_named():
    content = classifier(problem("a"))
    content["experiment"]["model"]["kernal_width"] = 5
    assert "experiment.model.kernal_width must be a known key, but 'kernal_width' was given. Did you mean" in refused(
        content
    )
