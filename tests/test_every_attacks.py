"""What every attack promises."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from holdfast.attacks import Attack
from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError

from .attacks.contexts import context, rows
from .contract import check_component

every = pytest.mark.parametrize("name", list(catalogue("attacks")))
COLUMNS = 5


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
def test_attackers_are_drawn_or_named(name: str) -> None:
    cls = catalogue("attacks")[name]
    assert issubclass(cls, Attack)
    assert len(set(cls(nodes=4).byzantine(10, seed=1).tolist())) == 4
    assert cls(nodes=[7, 2]).byzantine(10, seed=1).tolist() == [2, 7]
    for wrong in (11, [10], [-1]):
        with pytest.raises(InputError, match="nodes"):
            cls(nodes=wrong).byzantine(10, seed=1)
