"""What every attack promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from holdfast.attacks import Attack
from holdfast.attacks.each import ToEach
from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError
from holdfast.types import FloatArray

from .attacks.contexts import context, rows
from .contract import check_component
from .tiny import Blobs, play, simulation

every = pytest.mark.parametrize("name", list(catalogue("attacks")))
COLUMNS = 5
AMONG_PEERS = [name for name, cls in catalogue("attacks").items() if issubclass(cls, ToEach)]
WHERE = [(n, a) for n in catalogue("attacks") for a in ("fedavg", "dsgd") if a == "dsgd" or n not in AMONG_PEERS]


def visible_to(attack: Attack, honest_HD: Tensor) -> Tensor:
    return honest_HD if attack.knows == "omniscient" else honest_HD[:0]


@every
def test_is_a_component(name: str) -> None:
    check_component(catalogue("attacks")[name], Attack)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("honest", [0, 1, 6])
def test_sends_as_many_rows_of_the_same_kind(name: str, dtype: torch.dtype, honest: int) -> None:
    attack = build(Attack, name)
    honest_HD, own_BD = rows(honest).to(dtype), rows(3, seed=4).to(dtype)
    before = honest_HD.clone(), own_BD.clone()
    start = attack.start(3, COLUMNS)
    state, sent_BD = attack.corrupt(start, visible_to(attack, honest_HD), own_BD, context(1, 4, 6))
    assert (sent_BD.shape, sent_BD.dtype) == (own_BD.shape, dtype)
    assert torch.equal(honest_HD, before[0]), "changed the honest rows"
    assert torch.equal(own_BD, before[1]), "changed its own rows in place"
    assert all(len(value) == 3 for value in state.values())
    assert state.keys() == start.keys()


@every
def test_the_same_address_sends_the_same(name: str) -> None:
    attack = build(Attack, name)
    honest_HD, own_BD = visible_to(attack, rows(6)), rows(3, seed=4)
    start = attack.start(3, COLUMNS)
    first_BD, again_BD = (attack.corrupt(start, honest_HD, own_BD, context(1, 4, 6))[1] for _ in range(2))
    assert torch.equal(first_BD.nan_to_num(), again_BD.nan_to_num())


@every
def test_who_knows_only_itself_does_not_depend_on_its_company(name: str) -> None:
    attack = build(Attack, name)
    if attack.knows == "own":
        own_BD = rows(3, seed=4)
        all_BD = attack.corrupt(attack.start(3, COLUMNS), own_BD[:0], own_BD, context(1, 4, 6))[1]
        one_BD = attack.corrupt(attack.start(1, COLUMNS), own_BD[:0], own_BD[1:2], context(4))[1]
        torch.testing.assert_close(all_BD[1:2], one_BD, equal_nan=True)


@every
def test_poison_keeps_the_kind_of_samples(name: str) -> None:
    inputs, targets = rows(6), torch.tensor([0, 1, 2, 0, 1, 2])
    before = inputs.clone(), targets.clone()
    new_inputs, new_targets = build(Attack, name).poison(inputs, targets, classes=3)
    assert (new_inputs.shape, new_inputs.dtype) == (inputs.shape, inputs.dtype)
    assert (new_targets.shape, new_targets.dtype) == (targets.shape, targets.dtype)
    assert torch.equal(inputs, before[0])
    assert torch.equal(targets, before[1])
    assert 0 <= new_targets.min() <= new_targets.max() < 3


@every
@pytest.mark.parametrize("honest", [1, 4])
def test_broken_honest_rows_are_survived(name: str, honest: int) -> None:
    attack = build(Attack, name)
    for broken in (torch.nan, torch.inf, 1e30):
        honest_HD, own_BD = rows(honest), rows(3, seed=4)
        honest_HD[0, 1] = broken
        sent_BD = attack.corrupt(attack.start(3, COLUMNS), visible_to(attack, honest_HD), own_BD, context(1, 4, 6))[1]
        assert sent_BD.shape == own_BD.shape


@pytest.mark.parametrize(("name", "algorithm"), WHERE)
def test_silent_outside_its_rounds(name: str, algorithm: str) -> None:
    def models(*rounds: int, attackers: tuple[int, ...] = (1, 3)) -> FloatArray:
        attack = {"name": name, "nodes": attackers, "from_round": 2, "until_round": 3}
        where = {"topology": "complete"} if algorithm == "dsgd" else {}
        fields: dict[str, Any] = {"algorithm": algorithm, "problem": Blobs(), "nodes": 5, "engine": "sequential"}
        sim = simulation(**fields, **where, attack=attack)
        return np.stack([play(sim, 1, first=round)[0] for round in rounds])

    np.testing.assert_array_equal(models(1, 4, 5), models(1, 4, 5, attackers=()))
    assert not np.array_equal(models(1, 2, 3), models(1, 2, 3, attackers=())), "it never attacks"


@every
def test_refuses_an_end_before_the_beginning(name: str) -> None:
    build(Attack, {"name": name, "from_round": 3, "until_round": 3})
    with pytest.raises(InputError, match="until_round must be at least from_round, 3, but 2"):
        build(Attack, {"name": name, "from_round": 3, "until_round": 2})
    with pytest.raises(InputError, match="from_round must be greater than or equal to 1"):
        build(Attack, {"name": name, "from_round": 0})


@every
def test_the_probe_holds_samples_and_other_classes(name: str) -> None:
    inputs, targets = rows(6), torch.tensor([0, 1, 2, 0, 1, 2])
    before = inputs.clone()
    found = build(Attack, name).probe(inputs, targets, classes=3)
    assert torch.equal(inputs, before)
    if found is not None:
        probed, wanted = found
        assert 0 < len(probed) == len(wanted)
        assert (probed.shape[1:], probed.dtype, wanted.dtype) == (inputs.shape[1:], inputs.dtype, targets.dtype)
        assert 0 <= wanted.min() <= wanted.max() < 3


@every
def test_attackers_are_drawn_or_named(name: str) -> None:
    cls = catalogue("attacks")[name]
    assert issubclass(cls, Attack)
    assert len(set(cls(nodes=4).byzantine(10, seed=1).tolist())) == 4
    assert cls(nodes=[7, 2]).byzantine(10, seed=1).tolist() == [2, 7]
    for wrong in (11, [10], [-1]):
        with pytest.raises(InputError, match="nodes"):
            cls(nodes=wrong).byzantine(10, seed=1)
