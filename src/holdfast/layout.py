"""Which columns of a row are which parameter or buffer of a network."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """The columns of a row: what is trained first, then what is not, in the network's own order.

    What is trained are the parameters that require a gradient; frozen ones stand among the persistent buffers. A tensor
    that several names share is there once, under the first of them.

    Example:
        >>> layout = Layout.of(nn.Linear(3, 2))
        >>> layout.columns, layout.parameters
        (8, 8)
        >>> {name: tuple(view.shape) for name, view in layout.views(torch.zeros(5, 8)).items()}
        {'weight': (5, 2, 3), 'bias': (5, 2)}
    """

    shapes: dict[str, tuple[int, ...]]
    parameter_names: tuple[str, ...]

    @classmethod
    def of(cls, model: nn.Module) -> Layout:
        """The layout of a network."""
        whole = model.state_dict(keep_vars=True)
        first = {id(tensor): name for name, tensor in reversed(whole.items())}
        kept = {name: tensor for name, tensor in whole.items() if first[id(tensor)] == name}
        parameters = {name: tuple(p.shape) for name, p in kept.items() if p.requires_grad}
        buffers = {name: tuple(b.shape) for name, b in kept.items() if name not in parameters}
        return cls(parameters | buffers, tuple(parameters))

    @property
    def columns(self) -> int:
        """D: how many numbers a row has."""
        return sum(prod(shape) for shape in self.shapes.values())

    @property
    def parameters(self) -> int:
        """How many of the columns are parameters; the rest are buffers."""
        return sum(prod(self.shapes[name]) for name in self.parameter_names)

    def views(self, x_CD: Tensor) -> dict[str, Tensor]:
        """Each parameter and buffer of the rows, (C, *shape), as a view of the matrix."""
        sizes = [prod(shape) for shape in self.shapes.values()]
        parts = x_CD.split(sizes, dim=-1)
        named = zip(self.shapes.items(), parts, strict=True)
        return {name: part.view((*x_CD.shape[:-1], *shape)) for (name, shape), part in named}

    def row(self, model: nn.Module) -> Tensor:
        """The (D,) float32 row of a network's present values."""
        kept = model.state_dict()
        return torch.cat([kept[name].detach().flatten().float() for name in self.shapes])
