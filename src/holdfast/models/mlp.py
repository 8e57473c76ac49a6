"""The multilayer perceptron."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from holdfast.models.base import Model
from holdfast.models.layers import Width, dense, flat_size

__all__ = ["Mlp"]


class Mlp(Model):
    r"""A multilayer perceptron: the flattened input through linear layers with ReLUs between them.

    h_0 = vec(x); h_l = max(0, A_l h_{l-1} + b_l) for each hidden layer; z = A h_L + b.

    Raises:
        InputError: a width is below 1, the dropout is outside [0, 1), or the inputs hold no numbers.

    Example:
        >>> sum(p.numel() for p in Mlp().build((1, 28, 28), 10).parameters())
        79510

    Source: Rumelhart, Hinton & Williams, "Learning representations by back-propagating errors", 1986; the
    dropout is Srivastava et al. 2014.
    """

    hidden: tuple[Width, ...] = Field((100,), description="the width of each hidden layer, in units")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="how often a unit before the last layer is zeroed, as a probability"
    )

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The network."""
        return nn.Sequential(nn.Flatten(), *dense(flat_size(input_shape), self.hidden, outputs, self.dropout))
