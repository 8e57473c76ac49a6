from __future__ import annotations

import pytest
import torch

from holdfast.attacks.label_flip import LabelFlip
from holdfast.errors import InputError

from .contexts import context, rows


def test_by_hand() -> None:
    inputs = rows(4)
    same, flipped = LabelFlip().poison(inputs, torch.tensor([0, 1, 2, 2]), classes=3)
    assert same is inputs
    assert flipped.tolist() == [2, 1, 0, 0]


def test_flipping_twice_is_the_truth() -> None:
    targets = torch.arange(10).repeat(3, 1)
    once = LabelFlip().poison(rows(1), targets, classes=10)[1]
    assert torch.equal(LabelFlip().poison(rows(1), once, classes=10)[1], targets)


def test_needs_classes() -> None:
    with pytest.raises(InputError, match="attack must suit a problem without classes"):
        LabelFlip().poison(rows(2), torch.tensor([0.5, 1.5]), classes=None)


def test_leaves_updates_alone() -> None:
    own_BD = rows(2)
    assert torch.equal(LabelFlip().corrupt({}, torch.zeros(0, 5), own_BD, context(0, 1))[1], own_BD)


def test_the_probe_wants_the_mirrored_classes_where_they_differ() -> None:
    inputs = rows(4)
    probed, wanted = LabelFlip().probe(inputs, torch.tensor([0, 1, 2, 2]), classes=3)
    assert torch.equal(probed, inputs[[0, 2, 3]]), "class 1 of 3 is its own mirror image"
    assert wanted.tolist() == [2, 0, 0]
    with pytest.raises(InputError, match="attack must suit"):
        LabelFlip().probe(inputs, torch.ones(4), classes=None)
