"""A network whose first layer is a sine, for functions of a place."""

from __future__ import annotations

from math import sqrt

import torch
from pydantic import Field
from torch import Tensor, nn

from holdfast.models.base import Model
from holdfast.models.layers import Width, dense, flat_size

__all__ = ["Fourier", "Sine"]


class Fourier(Model):
    r"""A multilayer perceptron whose first layer is a sine: it sees a place as waves of many lengths.

    h_1 = sin(s (A_1 x + b_1)); h_l = max(0, A_l h_{l-1} + b_l) for the other hidden layers; z = A h_L + b. The scale s
    is how many radians a unit of A_1 x is: 0.05 suits inputs in pixels, 30 inputs in [-1, 1]. A_1 starts uniform in
    ±√(6 / its width), the rest as torch has it. The defaults with 2 inputs and 1 output are DiNNO's network for maps.

    Raises:
        InputError: a hyperparameter is out of bounds, or the inputs hold no numbers.

    Example:
        >>> sum(p.numel() for p in Fourier().build((2,), 1).parameters())
        25601

    Source: Yu, Vincent & Schwager, "DiNNO: distributed neural network optimization for multi-robot collaborative
    learning", 2022, section VI.
    """

    hidden: tuple[Width, ...] = Field(
        (256, 64, 64, 64), min_length=1, description="the width of each hidden layer, the sine first, in units"
    )
    scale: float = Field(0.05, gt=0, le=1000, description="what the sine's argument is multiplied by, in radians")

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The network."""
        first, *rest = self.hidden
        inputs = flat_size(input_shape)
        sine = Sine(inputs, first, self.scale, sqrt(6 / first))
        return nn.Sequential(nn.Flatten(), sine, *dense(first, tuple(rest), outputs))


class Sine(nn.Module):
    """sin(s (A x + b)), with A uniform in ±bound and b as torch has it.

    Args:
        inputs: how many numbers enter.
        outputs: how many leave.
        scale: s, in radians.
        bound: the greatest initial value of A.

    Example:
        >>> layer = Sine(2, 3, scale=0.05, bound=0.1)
        >>> bool((layer.linear.weight.abs() <= 0.1).all()), layer(torch.zeros(5, 2)).shape
        (True, torch.Size([5, 3]))
    """

    def __init__(self, inputs: int, outputs: int, scale: float, bound: float) -> None:
        super().__init__()
        self.linear, self.scale = nn.Linear(inputs, outputs), scale
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """(B, outputs)."""
        return torch.sin(self.scale * self.linear(x))
