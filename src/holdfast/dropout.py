"""Dropout whose mask is addressed, so that a node's mask does not depend on whom it is stacked with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["AddressedDropout", "address_dropout", "addressed"]

_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_MIX1 = 0xBF58476D1CE4E5B9 - 2**64
_MIX2 = 0x94D049BB133111EB - 2**64
_LAYERS = 2**20
"""More than a network has."""


def _shift(z: Tensor, bits: int) -> Tensor:
    """Logical right shift of signed 64-bit integers."""
    return torch.bitwise_and(z >> bits, 2 ** (64 - bits) - 1)


class AddressedDropout(nn.Module):
    """Dropout that derives its mask from ``key`` by the SplitMix64 finaliser instead of drawing it.

    Args:
        p: how often a number is zeroed, as a probability.
        layer: the number of the layer, so that two layers under one key have different masks, and so have two uses of
            one layer in a pass through its network (see `address_dropout`).
        key: the address of the masks of one step.

    Example:
        >>> x, layers = torch.ones(1000), [AddressedDropout(0.5, key=key) for key in (1, 1, 2)]
        >>> a, b, c = (layer(x) for layer in layers)
        >>> bool((a == b).all()), bool((a == c).all()), 400 < int((a == 0).sum()) < 600
        (True, False, True)
    """

    key: Tensor

    def __init__(self, p: float, layer: int = 0, key: int = 0) -> None:
        super().__init__()
        self.p, self.layer, self.uses = p, layer, 0
        self.register_buffer("key", torch.tensor(key), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The input with a share p of it set to 0 and the rest scaled by 1/(1-p)."""
        if not self.training or self.p == 0:
            return x
        number, self.uses = self.layer + self.uses * _LAYERS, self.uses + 1
        z = self.key + number * _MIX1 % 2**63 + torch.arange(x.numel(), device=x.device) * _GOLDEN
        z = (z ^ _shift(z, 30)) * _MIX1
        z = (z ^ _shift(z, 27)) * _MIX2
        kept = _shift(z ^ _shift(z, 31), 40) >= round(self.p * 2**24)
        return x * kept.view(x.shape) / (1 - self.p)


def address_dropout(model: nn.Module) -> list[str]:
    """Replace every nn.Dropout in a network, in place, and name the keys that address the masks."""
    for layer, (name, child) in enumerate(list(model.named_modules(remove_duplicate=False))):
        if isinstance(child, nn.Dropout):
            parent = model.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], AddressedDropout(child.p, layer))
    model.register_forward_pre_hook(_begin)
    return [f"{name}.key" for name, child in model.named_modules() if isinstance(child, AddressedDropout)]


def _begin(model: nn.Module, inputs: object) -> None:
    """Count the uses of each layer anew in every pass through the network."""
    for child in model.modules():
        if isinstance(child, AddressedDropout):
            child.uses = 0


@contextmanager
def addressed(key: int, device: torch.device) -> Iterator[torch.Generator]:
    """Start torch's own generator at an address, for whatever else a network draws, and leave it as it was.

    Example:
        >>> with addressed(5, torch.device("cpu")):
        ...     a = torch.rand(2)
        >>> with addressed(5, torch.device("cpu")):
        ...     b = torch.rand(2)
        >>> bool((a == b).all())
        True
    """
    index = device.index or 0
    source = torch.cuda.default_generators[index] if device.type == "cuda" else torch.default_generator
    before = source.get_state()
    source.manual_seed(key % 2**63)
    try:
        yield source
    finally:
        source.set_state(before)
