"""The layers that several models end in."""

from __future__ import annotations

from math import prod
from typing import Annotated

from pydantic import Field
from torch import nn

from holdfast.errors import InputError

__all__ = ["Width", "dense", "flat_size"]

Width = Annotated[int, Field(ge=1)]
"""How many outputs a layer has, at least one."""


def flat_size(input_shape: tuple[int, ...]) -> int:
    """How many numbers one input holds.

    Args:
        input_shape: the shape of one input, without the batch dimension.

    Raises:
        InputError: the shape has no dimension, or an empty one.

    Example:
        >>> flat_size((1, 28, 28))
        784
    """
    if not input_shape or min(input_shape) < 1:
        remedy = "Give every input at least one dimension, and every dimension at least one entry."
        raise InputError("problem.model", "take inputs that hold a number at least", input_shape, remedy)
    return prod(input_shape)


def dense(inputs: int, hidden: tuple[int, ...], outputs: int, dropout: float = 0.0) -> list[nn.Module]:
    """Linear layers with a ReLU between them, and dropout before the last one.

    Args:
        inputs: how many numbers enter.
        hidden: the width of each hidden layer.
        outputs: how many numbers leave.
        dropout: the probability that a number is zeroed before the last layer; 0 adds no layer.

    Example:
        >>> [type(layer).__name__ for layer in dense(4, (3,), 2, dropout=0.5)]
        ['Linear', 'ReLU', 'Dropout', 'Linear']
    """
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    if dropout:
        layers.append(nn.Dropout(dropout))
    return [*layers, nn.Linear(inputs, outputs)]
