"""What the attacks on labels share."""

from __future__ import annotations

from torch import Tensor

from holdfast.errors import InputError

__all__ = ["changed", "known_classes"]


def known_classes(name: str, classes: int | None) -> int:
    """How many classes there are.

    Args:
        name: the attack.
        classes: ``None`` in a regression.

    Raises:
        InputError: there are none.
    """
    if classes is None:
        remedy = "Use an attack on updates, such as sign_flip, or a classification problem."
        raise InputError("attack", "suit a problem without classes", name, remedy)
    return classes


def changed(inputs: Tensor, targets: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The inputs of the samples whose wanted class is not their own, and those wanted classes.

    Example:
        >>> import torch
        >>> changed(torch.tensor([[5.0], [6.0]]), torch.tensor([0, 1]), torch.tensor([1, 1]))
        (tensor([[5.]]), tensor([1]))
    """
    wrong_S = wanted != targets
    return inputs[wrong_S], wanted[wrong_S]
