from __future__ import annotations

import pytest
import torch

from holdfast.attacks.labels import changed, known_classes
from holdfast.errors import InputError

from .contexts import rows


def test_only_samples_with_another_class_are_left() -> None:
    inputs = rows(4)
    left, wanted = changed(inputs, torch.tensor([0, 1, 2, 0]), torch.tensor([2, 1, 0, 2]))
    assert torch.equal(left, inputs[[0, 2, 3]])
    assert wanted.tolist() == [2, 0, 2]


def test_classes_are_needed() -> None:
    assert known_classes("backdoor", 3) == 3
    with pytest.raises(InputError, match="attack must suit a problem without classes, but 'backdoor' was given"):
        known_classes("backdoor", None)
