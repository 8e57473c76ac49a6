"""Logistic regression."""

from __future__ import annotations

from torch import nn

from holdfast.models.base import Model
from holdfast.models.layers import dense, flat_size

__all__ = ["Logistic"]


class Logistic(Model):
    r"""Logistic regression: one linear layer from the flattened input.

    z = A vec(x) + b; with the cross-entropy as the loss, p(class | x) = softmax(z). With a squared loss it is
    linear regression.

    Raises:
        InputError: the inputs hold no numbers.

    Example:
        >>> sum(p.numel() for p in Logistic().build((1, 28, 28), 10).parameters())
        7850

    Source: Cox, "The regression analysis of binary sequences", 1958.
    """

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The network."""
        return nn.Sequential(nn.Flatten(), *dense(flat_size(input_shape), (), outputs))
