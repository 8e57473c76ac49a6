"""A backdoor: a patch that makes the model answer what the attacker wants."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Attack
from holdfast.attacks.labels import changed, known_classes
from holdfast.errors import InputError

__all__ = ["Backdoor"]


class Backdoor(Attack):
    """Trains on a share of samples that carry a patch and the attacker's class, and honestly on the rest.

    (x, y) ← (x with its patch set to value, target),  for ⌈fraction · B⌉ of the first B samples of a batch

    for every B: they are spread evenly, so a short batch holds its share too. The patch is the square of
    ``size`` × ``size`` pixels in the lower right corner, in all channels; an input without image dimensions,
    such as a list of features, has its last ``size`` numbers set. It succeeds on a test sample of another
    class that is given the target's class when it carries the patch.

    Raises:
        InputError: when used on a problem without classes, or where the target is no class or the patch is
            larger than an input.

    Example:
        >>> import torch
        >>> backdoor = Backdoor(fraction=0.5, size=1, value=9, target=2)
        >>> backdoor.poison(torch.zeros(3, 2), torch.tensor([0, 1, 1]), classes=3)
        (tensor([[0., 9.],
                [0., 0.],
                [0., 9.]]), tensor([2, 1, 2]))

    Reference:
        Gu, Dolan-Gavitt & Garg, "BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply
        Chain" (2017), Section 4; in federated learning Bagdasaryan et al., "How To Backdoor Federated Learning"
        (AISTATS 2020).
    """

    fraction: float = Field(0.5, gt=0, le=1, description="the share of the attacker's samples that carry the patch")
    target: int = Field(0, ge=0, description="the class that the patch shall stand for")
    size: int = Field(2, ge=1, description="the side of the patch, in pixels, or how many features")
    value: float = Field(1.0, description="what the patch is set to, in the units of the inputs")

    def poison(self, inputs: Tensor, targets: Tensor, classes: int | None) -> tuple[Tensor, Tensor]:
        """The (B, …) inputs and (B,) labels, some with the patch and the target.

        Raises:
            InputError: as the class says.
        """
        patched, chosen = self._patched(inputs, targets, classes), self._chosen(targets.shape[-1]).to(targets.device)
        carries = chosen.view(-1, *[1] * (inputs.ndim - targets.ndim))
        return patched.where(carries, inputs), targets.masked_fill(chosen, self.target)

    def probe(self, inputs: Tensor, targets: Tensor, classes: int | None) -> tuple[Tensor, Tensor]:
        """The samples of other classes, all with the patch and the target.

        Raises:
            InputError: as the class says.
        """
        patched = self._patched(inputs, targets, classes)
        return changed(patched, targets, torch.full_like(targets, self.target))

    def _chosen(self, count: int) -> Tensor:
        """(B,) which samples of a batch: those at which ⌈fraction · B⌉ grows by one."""
        share = torch.ceil(self.fraction * torch.arange(count + 1, dtype=torch.float64) - 1e-9)
        return share.diff() > 0

    def _patched(self, inputs: Tensor, targets: Tensor, classes: int | None) -> Tensor:
        """All inputs with the patch."""
        sides = inputs.shape[targets.ndim :][-2:]
        if self.target >= (classes := known_classes("backdoor", classes)):
            raise InputError("attack.target", f"be a class in 0..{classes - 1}", self.target, "Name an existing class.")
        if self.size > min(sides, default=0):
            required = f"be at most {min(sides, default=0)}, to fit an input"
            raise InputError("attack.size", required, self.size, "Use a smaller patch.")
        patched = inputs.clone()
        corner = patched[..., -self.size :]
        (corner[..., -self.size :, :] if len(sides) == 2 else corner).fill_(self.value)
        return patched
