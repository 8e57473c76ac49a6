"""The contract of models."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, Self, cast

from pydantic import create_model
from torch import nn

from holdfast.component import Component
from holdfast.errors import InputError

__all__ = ["Model"]


class Model(Component):
    """A neural network by kind and size; the problem tells it the shape of an input and the number of outputs.

    Your own is any `nn.Module`, named ``module:Class`` in an experiment file, with the arguments of its constructor as
    hyperparameters. One that wants to know the shape of an input is a subclass with one method:

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

    @classmethod
    def adopt(cls, found: type) -> type[Self] | None:
        """A model that builds a plain `nn.Module`, with the arguments of its constructor as hyperparameters."""
        network: Any = found
        return cast(type[Self], _adopted(network)) if issubclass(found, nn.Module) else None


class _Adopted(Model):
    """A network that knows its own shape."""

    network: ClassVar[Callable[..., nn.Module]]

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The network as its constructor makes it.

        Raises:
            InputError: the constructor refuses its arguments.
        """
        arguments = dict(self)
        try:
            return type(self).network(**arguments)
        except (TypeError, ValueError) as error:
            name = self.component_name()
            raise InputError("problem.model", f"be built by {name}", arguments, f"It raised: {error}.") from error


@cache
def _adopted(network: Any) -> type[_Adopted]:
    """The model of a network's class; it has the name of that class, so that a saved experiment finds it again."""
    named = [
        p for p in inspect.signature(network).parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    for name in (p.name for p in named if p.name == "name" or hasattr(_Adopted, p.name)):
        required, remedy = "have no argument that every model has itself", "Rename it, or write a Model of your own."
        raise InputError("model", required, f"{name} of {network.__qualname__}", remedy)
    fields: dict[str, Any] = {p.name: (Any, ... if p.default is p.empty else p.default) for p in named}
    made = create_model(network.__qualname__, __base__=_Adopted, __module__=network.__module__, **fields)
    made.network = network
    return made
