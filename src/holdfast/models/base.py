"""The contract of models."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import nn

from holdfast.component import Component

__all__ = ["Model"]


class Model(Component):
    """A neural network by kind and size; the problem tells it the shape of an input and the number of outputs.

    Your own is a subclass with one method, named ``module:Class`` in an experiment file. It wraps any `nn.Module`:

    Example:
        >>> from math import prod
        >>> class Mine(Model):
        ...     def build(self, input_shape, outputs):
        ...         return nn.Sequential(nn.Flatten(), nn.Linear(prod(input_shape), outputs))
        >>> Mine().build((1, 8, 8), 10)[1].out_features
        10
    """

    family: ClassVar[str] = "models"

    @abstractmethod
    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """A freshly initialised network from (batch, *input_shape) to (batch, outputs) logits or values.

        Raises:
            InputError: the network cannot take inputs of that shape.
        """
