"""AggregaThor's convolutional network for CIFAR-10."""

from __future__ import annotations

from torch import nn

from holdfast.errors import InputError
from holdfast.models.base import Model
from holdfast.models.layers import dense, flat_size

__all__ = ["Cnnet"]


class Cnnet(Model):
    """AggregaThor's network for CIFAR-10: two convolutions of 5x5 with 64 channels, then layers of 384 and 192 units.

    After each convolution, padded to keep the size, come a ReLU and a max-pooling over 3x3 in steps of 2, padded so
    that a side of s pixels becomes ⌈s/2⌉. On (3, 32, 32) with 10 outputs it has 1,756,426 parameters.

    Raises:
        InputError: the inputs are not (channels, height, width).

    Example:
        >>> sum(p.numel() for p in Cnnet().build((3, 32, 32), 10).parameters())
        1756426

    Source: Damaskinos et al. 2019, "AggregaThor: Byzantine Machine Learning via Robust Gradient Aggregation", and the
    experiment `cnnet` of its published code.
    """

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The network."""
        if len(input_shape) != 3 or min(input_shape) < 1:
            remedy = "Shape the images so, or use a model for flat inputs, such as mlp."
            raise InputError("problem.model", "take inputs (channels, height, width)", input_shape, remedy)
        channels, height, width = input_shape
        flat = flat_size((64, -(-height // 4), -(-width // 4)))
        head = dense(flat, (384, 192), outputs)
        return nn.Sequential(*_halving(channels), *_halving(64), nn.Flatten(), *head)


def _halving(channels: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)]
