"""A small convolutional network."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from holdfast.errors import InputError
from holdfast.models.base import Model
from holdfast.models.layers import Width, dense, flat_size

__all__ = ["Cnn"]


class Cnn(Model):
    r"""A small convolutional network: convolutions with ReLU and max-pooling, then a multilayer perceptron.

    Each entry of `channels` is a convolution without padding, a ReLU and a max-pooling over 2x2, which takes
    a side of s pixels to ⌊(s - kernel + 1) / 2⌋. The defaults on (1, 28, 28) with 10 outputs are DiNNO's
    network for MNIST.

    Raises:
        InputError: a hyperparameter is out of bounds, the inputs are not (channels, height, width), or a
            convolution is left with too small an image.

    Example:
        >>> sum(p.numel() for p in Cnn().build((1, 28, 28), 10).parameters())
        28440

    Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998; the default sizes
    are those of Yu, Vincent & Schwager, "DiNNO", 2022.
    """

    channels: tuple[Width, ...] = Field(
        (3,), min_length=1, description="how many channels each convolution has, in channels"
    )
    kernel: int = Field(5, ge=1, description="the side of every convolution's window, in pixels")
    hidden: tuple[Width, ...] = Field((64,), description="the width of each hidden layer, in units")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="how often a unit before the last layer is zeroed, as a probability"
    )
    batch_norm: bool = Field(False, description="whether to normalise after each convolution, as true or false")

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The network."""
        flat = flat_size(self._features(input_shape))
        head = dense(flat, self.hidden, outputs, self.dropout)
        return nn.Sequential(*self._convolutions(input_shape[0]), nn.Flatten(), *head)

    def _convolutions(self, inputs: int) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for width in self.channels:
            layers.append(nn.Conv2d(inputs, width, self.kernel))
            if self.batch_norm:
                layers.append(nn.BatchNorm2d(width))
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
            inputs = width
        return layers

    def _features(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape (channels, height, width) that the last pooling leaves."""
        if len(input_shape) != 3 or input_shape[0] < 1:
            remedy = "Shape the images so, or use a model for flat inputs, such as mlp."
            raise InputError("problem.model", "take inputs (channels, height, width)", input_shape, remedy)
        height, width = input_shape[1:]
        for _ in self.channels:
            height, width = (height - self.kernel + 1) // 2, (width - self.kernel + 1) // 2
            if min(height, width) < 1:
                raise self._too_small(input_shape)
        return (self.channels[-1], height, width)

    def _too_small(self, input_shape: tuple[int, ...]) -> InputError:
        least = 1
        for _ in self.channels:
            least = 2 * least + self.kernel - 1
        network = f"kernel {self.kernel} and channels {self.channels}"
        required = f"take images of at least {least}x{least} pixels with {network}"
        remedy = "Use a smaller kernel, fewer convolutions or mlp."
        return InputError("problem.model", required, input_shape, remedy)
