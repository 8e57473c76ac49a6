"""Scaled inputs."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Attack

__all__ = ["PixelScale"]


class PixelScale(Attack):
    """Trains honestly on inputs that are scaled, as by a camera or a sensor that is badly set.

    x ← scale · x

    The labels stay. Whole numbers stay whole, cut towards zero.

    Example:
        >>> import torch
        >>> PixelScale(scale=-2).poison(torch.tensor([[1.0, 0.5]]), torch.tensor([3]), classes=10)
        (tensor([[-2., -1.]]), tensor([3]))

    Reference:
        Hendrycks & Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations"
        (ICLR 2019), Section 4.1, whose brightness and contrast are of this kind.
    """

    scale: float = Field(10.0, description="what every number of an input is multiplied by")

    def poison(self, inputs: Tensor, targets: Tensor, classes: int | None) -> tuple[Tensor, Tensor]:
        """The (B, …) scaled inputs and the (B,) labels as they are."""
        return (self.scale * inputs).to(inputs.dtype), targets
