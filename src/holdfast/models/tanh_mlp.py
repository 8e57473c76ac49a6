"""The multilayer perceptron with tanh."""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field
from torch import nn

from holdfast.models.base import Model
from holdfast.models.layers import Width, flat_size

__all__ = ["TanhMlp"]


class TanhMlp(Model):
    r"""A multilayer perceptron with tanh: the flattened input through linear layers with a tanh after all but the last.

    h_0 = vec(x); h_l = tanh(A_l h_{l-1} + b_l) for each hidden layer; z = A h_L + b.

    Raises:
        InputError: a width is below 1, or the inputs hold no numbers.

    Example:
        >>> [type(layer).__name__ for layer in TanhMlp().build((2,), 1)]
        ['Flatten', 'Linear', 'Tanh', 'Linear']

    Source: Rumelhart, Hinton & Williams, "Learning representations by back-propagating errors", 1986; tanh is
    LeCun et al., "Efficient backprop", 1998, section 4.4.
    """

    hidden: tuple[Width, ...] = Field((100,), min_length=1, description="the width of each hidden layer, in units")

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The network."""
        widths = (flat_size(input_shape), *self.hidden)
        hidden = [layer for n, width in pairwise(widths) for layer in (nn.Linear(n, width), nn.Tanh())]
        return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(widths[-1], outputs))
