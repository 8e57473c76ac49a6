"""Both spellings of dyn-fed's keys, and what is no key of it."""

from __future__ import annotations

import pytest

from holdfast.errors import InputError
from holdfast.importers.dynfed_config import Config, sections


def test_the_present_spelling_and_the_older_one_are_the_same():
    older = {
        "model": {"batch_size": 32, "shuffle": 0, "n_iterations": 100},
        "executor": {"n_workers": 4, "comm_period": 20, "mode": 1, "remap": 1, "timeout": 30, "scenario": 7},
    }
    present = {
        "model": {"shuffle": 0, "n_iterations": 100},
        "data": {"batch_size": 32},
        "comms": {"interval": 20, "mode": 1},
        "distribute": {"n_workers": 4, "remap": 1, "timeout": 30},
        "executor": {"scenario": 7},
    }
    assert sections(older) == sections(present) == present
    assert sections({"distribute": {"comm_period": 20, "remap": 1}}) == {
        "comms": {"interval": 20},
        "distribute": {"remap": 1},
    }


def test_every_key_of_the_file_counts_as_given_and_no_other():
    config = Config.of(sections({"model": {"type": "svm"}, "executor": {"comm_period": 3}, "data": None}))
    assert config.given == {"model.type", "comms.interval"}


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [({}, 0.01), ({"name": "adam"}, 0.001), ({"name": "adam", "learning_rate": 0.5}, 0.5)],
)
def test_the_learning_rate_left_out_is_that_of_the_readme(optimizer, rate):
    assert Config.of({"optimizer": optimizer}).rate == rate


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"comm": {}}, "comm must be a section of dyn-fed's, but 'comm' was given. Did you mean 'comms'?"),
        ({"model": 3}, "model must map keys to values"),
        ({"model": {"tpye": "nn1"}}, "model.tpye must be a known key, but 'tpye' was given. Did you mean 'type'?"),
        ({"model": {"comm_period": 3}}, "model.interval must be a known key"),
        ({"comms": {"mode": 5}}, "comms.mode must be 0, 1, 2, 3 or 4, but 5 was given"),
        ({"comms": {"interval": 0}}, "comms.interval must be greater than or equal to 1"),
        ({"comms": {"interval": "often"}}, "comms.interval must be an integer, but 'often'"),
        ({"executor": {"quantize": 2}}, "distribute.quantize must be true or false, but 2"),
        ({"distribute": {"strategy": "local"}}, "distribute.strategy must be 'mw' or 'master_worker'"),
        ({"distribute": {"n_workers": 1}}, "distribute.n_workers must be greater than or equal to 2"),
        ({"data": {"name": "imagenet"}}, "data.name must be 'mnist'"),
    ],
)
def test_what_is_no_key_or_no_value_is_named(content, words):
    with pytest.raises(InputError) as refused:
        Config.of(sections(content))
    assert words in str(refused.value)


def test_a_key_in_two_spellings_is_refused():
    with pytest.raises(InputError, match=r"executor.comm_period must be given once.*older name of comms.interval"):
        sections({"comms": {"interval": 1}, "executor": {"comm_period": 10}})
