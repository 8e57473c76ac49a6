"""A network of sines, for functions of a place."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

from pydantic import Field
from torch import nn

from holdfast.models.base import Model
from holdfast.models.fourier import Sine
from holdfast.models.layers import Width, flat_size

__all__ = ["Siren"]


class Siren(Model):
    r"""SIREN: a multilayer perceptron with a sine after every layer but the last.

    h_l = sin(ω (A_l h_{l-1} + b_l)); z = A h_L + b. With n the inputs of a layer, A_1 starts uniform in ±1/n, and the
    others in ±√(6/n)/ω, so that ω A_l h_{l-1} is about standard normal however deep. It is made for inputs in [-1, 1].

    Raises:
        InputError: a hyperparameter is out of bounds, or the inputs hold no numbers.

    Example:
        >>> sum(p.numel() for p in Siren().build((2,), 1).parameters())
        25601

    Source: Sitzmann et al., "Implicit neural representations with periodic activation functions", 2020, section 3.2.
    """

    hidden: tuple[Width, ...] = Field(
        (256, 64, 64, 64), min_length=1, description="the width of each hidden layer, in units"
    )
    omega: float = Field(30.0, gt=0, le=1000, description="ω, what each sine's argument is multiplied by, in radians")

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The network."""
        inputs = flat_size(input_shape)
        first = Sine(inputs, self.hidden[0], self.omega, 1 / inputs)
        rest = [Sine(n, width, self.omega, sqrt(6 / n) / self.omega) for n, width in pairwise(self.hidden)]
        last = nn.Linear(self.hidden[-1], outputs)
        nn.init.uniform_(last.weight, -(bound := sqrt(6 / self.hidden[-1]) / self.omega), bound)
        return nn.Sequential(nn.Flatten(), first, *rest, last)
