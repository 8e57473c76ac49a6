from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.attacks.backdoor import Backdoor
from holdfast.errors import InputError

from ..contract import PROPERTY
from .contexts import rows


def test_an_image_by_hand() -> None:
    inputs, targets = torch.zeros(2, 1, 3, 3), torch.tensor([1, 2])
    patched, labels = Backdoor(fraction=0.5, size=2, value=7, target=0).poison(inputs, targets, classes=3)
    assert patched.tolist() == [[[[0, 0, 0], [0, 7, 7], [0, 7, 7]]], inputs[0].tolist()]
    assert labels.tolist() == [0, 2]


def test_features_by_hand() -> None:
    patched, labels = Backdoor(fraction=1, size=2, value=-1, target=4).poison(torch.ones(1, 3), torch.tensor([1]), 5)
    assert (patched.tolist(), labels.tolist()) == ([[1, -1, -1]], [4])


def test_images_without_channels_and_any_leading_dimensions() -> None:
    inputs, targets = torch.zeros(2, 3, 4, 5, 5), torch.ones(2, 3, 4, dtype=torch.int64)
    patched, labels = Backdoor(fraction=0.25, size=5).poison(inputs, targets, classes=2)
    assert patched.flatten(3).amax(-1).tolist() == [[[1, 0, 0, 0]] * 3] * 2
    assert labels.tolist() == [[[0, 1, 1, 1]] * 3] * 2


@PROPERTY
@given(st.floats(0.01, 1), st.integers(1, 40))
def test_of_every_number_of_samples_it_takes_its_share(fraction: float, width: int) -> None:
    """So a short batch, which is padded in company, holds as many as it does alone."""
    targets = torch.ones(width, dtype=torch.int64)
    _, labels = Backdoor(fraction=fraction, target=0).poison(rows(width), targets, classes=2)
    for count in range(1, width + 1):
        assert int((labels[:count] == 0).sum()) == math.ceil(fraction * count - 1e-9)


def test_the_probe_is_every_sample_of_another_class_with_the_patch() -> None:
    inputs, targets = rows(4), torch.tensor([0, 2, 1, 2])
    probed, wanted = Backdoor(fraction=0.1, size=2, value=9, target=2).probe(inputs, targets, classes=3)
    assert torch.equal(probed[:, :3], inputs[[0, 2], :3])
    assert probed[:, 3:].tolist() == [[9, 9]] * 2
    assert wanted.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("fields", "classes", "complaint"),
    [
        ({"target": 3}, 3, r"attack.target must be a class in 0..2, but 3"),
        ({"size": 6}, 3, "attack.size must be at most 5, to fit an input, but 6"),
        ({}, None, "attack must suit a problem without classes, but 'backdoor'"),
    ],
)
def test_refuses_what_does_not_fit(fields: dict[str, int], classes: int | None, complaint: str) -> None:
    for use in (Backdoor(**fields).poison, Backdoor(**fields).probe):
        with pytest.raises(InputError, match=complaint):
            use(rows(2), torch.tensor([0, 1]), classes)


def test_refuses_a_patch_on_a_single_number() -> None:
    with pytest.raises(InputError, match=r"attack\.size must be at most 0"):
        Backdoor().poison(torch.zeros(2), torch.tensor([0, 1]), 2)
