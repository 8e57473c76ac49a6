"""Shuffled labels."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Attack
from holdfast.attacks.labels import changed, known_classes
from holdfast.seeding import generator

__all__ = ["LabelShuffle"]


class LabelShuffle(Attack):
    """Trains honestly on wrong labels: each class is exchanged for another one, always the same.

    y ← π(y),  π a random cycle through all classes, so that no class stays where it is

    All attackers share π, which their own seed decides and not the experiment's. A single class stays. It
    succeeds on a test sample to which the model gives the class π(y).

    Raises:
        InputError: when used on a problem without classes.

    Example:
        >>> import torch
        >>> LabelShuffle().poison(torch.zeros(4, 1), torch.tensor([0, 1, 2, 2]), classes=3)[1]
        tensor([2, 0, 1, 1])

    Reference:
        Zhang et al., "Understanding Deep Learning Requires Rethinking Generalization" (ICLR 2017), Section 2,
        for training on wrong labels; Fang et al., "Local Model Poisoning Attacks to Byzantine-Robust Federated
        Learning" (USENIX Security 2020), Section 4, for doing it as an attack.
    """

    seed: int = Field(0, ge=0, lt=2**63, description="the seed that decides which class becomes which")

    def permutation(self, classes: int) -> Tensor:
        """(classes,) what each class becomes."""
        order = torch.randperm(classes, generator=generator(self.seed, "label_shuffle"))
        return torch.empty_like(order).scatter_(0, order, order.roll(-1))

    def poison(self, inputs: Tensor, targets: Tensor, classes: int | None) -> tuple[Tensor, Tensor]:
        """The (B, …) inputs as they are and the (B,) exchanged labels.

        Raises:
            InputError: ``classes`` is ``None``.
        """
        shuffled = self.permutation(known_classes("label_shuffle", classes)).to(targets)
        return inputs, shuffled[targets.long()]

    def probe(self, inputs: Tensor, targets: Tensor, classes: int | None) -> tuple[Tensor, Tensor]:
        """All samples with their exchanged classes.

        Raises:
            InputError: ``classes`` is ``None``.
        """
        return changed(inputs, targets, self.poison(inputs, targets, classes)[1])
