"""Networks as users write them, each with something that a row of numbers must cope with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ODD"]


class Tied(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up, self.out = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 3)
        self.up.weight = self.down.weight

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.up(self.down(x).tanh()))
        return out


class Frozen(nn.Module):
    """A first layer that is not to be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, 4).requires_grad_(False), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.first(x).tanh())
        return out


class Scalar(nn.Module):
    """A parameter without dimensions, and one that takes no part."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.unused = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.ones(2))
        self.out = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.scale * self.out(x)
        return out


class Sum(nn.Module):
    """Two parameters of which autograd hands out one gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(5, 3)), nn.Parameter(torch.randn(5, 3))

    def forward(self, x: Tensor) -> Tensor:
        return x @ (self.a + self.b)


class Masked(nn.Module):
    """Buffers that are not floating point: a mask, and a count of the batches."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(5, 3)
        self.register_buffer("mask", torch.tensor([True, False, True, True, False]))
        self.register_buffer("order", torch.tensor([4, 3, 2, 1, 0]))
        self.register_buffer("batches", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.batches.add_(1)
        out: Tensor = self.out(x.masked_fill(self.mask, 0.0)[:, self.order])
        return out


ODD: dict[str, type[nn.Module]] = {"tied": Tied, "frozen": Frozen, "scalar": Scalar, "sum": Sum, "masked": Masked}
