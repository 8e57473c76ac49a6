from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.attacks.label_shuffle import LabelShuffle
from holdfast.errors import InputError

from ..contract import PROPERTY
from .contexts import rows


@PROPERTY
@given(st.integers(2, 60), st.integers(0, 1000))
def test_every_class_becomes_another_one(classes: int, seed: int) -> None:
    mapped = LabelShuffle(seed=seed).permutation(classes).tolist()
    assert sorted(mapped) == list(range(classes))
    assert all(new != old for old, new in enumerate(mapped))


def test_a_single_class_stays() -> None:
    assert LabelShuffle().permutation(1).tolist() == [0]


def test_by_hand_of_two_classes() -> None:
    inputs = rows(4)
    same, shuffled = LabelShuffle().poison(inputs, torch.tensor([[0, 1], [1, 1]]), classes=2)
    assert same is inputs
    assert shuffled.tolist() == [[1, 0], [0, 0]]


def test_it_is_always_the_same_and_the_seed_decides() -> None:
    maps = [LabelShuffle(seed=seed).permutation(10).tolist() for seed in (1, 1, 2)]
    assert maps[0] == maps[1] != maps[2]


def test_the_probe_wants_the_shuffled_classes() -> None:
    inputs, targets = rows(5), torch.tensor([0, 1, 2, 3, 3])
    attack = LabelShuffle(seed=3)
    probed, wanted = attack.probe(inputs, targets, classes=4)
    assert torch.equal(probed, inputs)
    assert wanted.tolist() == [attack.permutation(4).tolist()[y] for y in targets.tolist()]


def test_needs_classes() -> None:
    for use in (LabelShuffle().poison, LabelShuffle().probe):
        with pytest.raises(InputError, match="attack must suit a problem without classes, but 'label_shuffle'"):
            use(rows(2), torch.tensor([0.5, 1.5]), None)
