"""Fields set by their paths, in whatever has them."""

from __future__ import annotations

import pytest

from holdfast.errors import InputError
from holdfast.sweep.place import put


def placed(path: str, value: object, **mapping: object) -> dict[str, object]:
    assert put(mapping, path, value) == set()
    return mapping


def test_a_field_goes_into_every_stage_that_has_it_and_only_there():
    chain = [{"name": "nnm", "f": 9}, "krum"]
    assert placed("aggregator.f", 2, aggregator=chain)["aggregator"] == [
        {"name": "nnm", "f": 2},
        {"name": "krum", "f": 2},
    ]
    faults = ["drop", {"name": "crash", "node": 1}]
    assert placed("faults.probability", 0.5, faults=faults)["faults"] == [
        {"name": "drop", "probability": 0.5},
        faults[1],
    ]
    assert chain == [{"name": "nnm", "f": 9}, "krum"], "what was given is left alone"


def test_defaults_are_opened_and_a_chain_of_one_is_its_only_stage():
    assert placed("trigger.every", 3) == {"trigger": {"name": "periodic", "every": 3}}
    assert placed("aggregator.f", 3, aggregator=["krum"]) == {"aggregator": {"name": "krum", "f": 3}}
    expected = {"algorithm": {"name": "fedavg", "optimizer": {"name": "sgd", "lr": 0.5}}}
    assert placed("algorithm.optimizer.lr", 0.5, algorithm="fedavg") == expected
    assert placed("network.quorum", 0.5) == {"network": {"quorum": 0.5}}


def test_a_model_within_a_problem_is_reached():
    found = placed("problem.model.hidden", [8], problem={"name": "digits", "model": "mlp"})
    assert found["problem"] == {"name": "digits", "model": {"name": "mlp", "hidden": [8]}}


@pytest.mark.parametrize(
    ("path", "instead"),
    [("aggregator.f", "aggregator"), ("attack.nodes", "attack"), ("seed.x", "seed"), ("problem.model", "problem")],
)
def test_where_nothing_has_the_field_nothing_changes(path, instead):
    mapping = {"aggregator": "mean", "attack": None, "seed": 1}
    assert put(mapping, path, 1) == {instead}
    assert mapping == {"aggregator": "mean", "attack": None, "seed": 1}


def test_an_unknown_field_tells_what_could_have_been_meant():
    assert "aggregator.f" in put({"aggregator": ["nnm", "krum"]}, "aggregator.ff", 1)
    assert "attack" in put({}, "atack.nodes", 1)
    assert "variants" not in put({}, "variants", 1)


@pytest.mark.parametrize(("mapping", "words"), [({"aggregator": "krun"}, "aggregator.name"), ({"faults": 3}, "faults")])
def test_what_cannot_be_built_is_refused(mapping, words):
    with pytest.raises(InputError) as refused:
        put(mapping, f"{words.partition('.')[0]}.f", 1)
    assert str(refused.value).startswith(words)
