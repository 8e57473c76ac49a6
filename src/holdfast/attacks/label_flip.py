"""Label flip."""

from __future__ import annotations

from torch import Tensor

from holdfast.attacks.base import Attack
from holdfast.errors import InputError

__all__ = ["LabelFlip"]


class LabelFlip(Attack):
    """Trains honestly on wrong labels: each class becomes its mirror image.

    y ← classes - 1 - y

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
        if classes is None:
            remedy = "Use an attack on updates, such as sign_flip, or a classification problem."
            raise InputError("attack", "suit a problem without classes", "label_flip", remedy)
        return inputs, classes - 1 - targets
