"""Label flip."""

from __future__ import annotations

from torch import Tensor

from holdfast.attacks.base import Attack
from holdfast.attacks.labels import changed, known_classes

__all__ = ["LabelFlip"]


class LabelFlip(Attack):
    """Trains honestly on wrong labels: each class becomes its mirror image.

    y ← classes - 1 - y

    It succeeds on a test sample that the model gives the mirrored class.

    Raises:
        InputError: when used on a problem without classes.

    Example:
        >>> import torch
        >>> LabelFlip().poison(torch.zeros(3, 1), torch.tensor([0, 1, 9]), classes=10)[1]
        tensor([9, 8, 0])

    Reference:
        Fang et al., "Local Model Poisoning Attacks to Byzantine-Robust Federated Learning" (USENIX Security
        2020), Section 4.
    """

    def poison(self, inputs: Tensor, targets: Tensor, classes: int | None) -> tuple[Tensor, Tensor]:
        """The (B, …) inputs as they are and the (B,) flipped labels.

        Raises:
            InputError: ``classes`` is ``None``.
        """
        return inputs, known_classes("label_flip", classes) - 1 - targets

    def probe(self, inputs: Tensor, targets: Tensor, classes: int | None) -> tuple[Tensor, Tensor]:
        """All samples with their mirrored classes, but for those of a class that is its own mirror image.

        Raises:
            InputError: ``classes`` is ``None``.
        """
        return changed(inputs, targets, self.poison(inputs, targets, classes)[1])
