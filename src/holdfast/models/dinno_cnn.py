"""A small convolutional network that standardises its images first."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

from holdfast.models.cnn import Cnn

__all__ = ["DinnoCnn"]


class DinnoCnn(Cnn):
    r"""DiNNO's network for MNIST: `cnn` on images of which a mean is taken away, and that are divided by a deviation.

    z = cnn((x - m) / s). The problems give pixels in 0..1, and the defaults are the mean and the standard deviation of
    MNIST's, so that the network sees pixels of mean 0 and deviation 1, with which it learns in fewer rounds. All
    nodes use the same two numbers, so nothing of their own data is told.

    Raises:
        InputError: as `cnn` says.

    Example:
        >>> sum(p.numel() for p in DinnoCnn().build((1, 28, 28), 10).parameters())
        28440

    Source: Yu, Vincent & Schwager, "DiNNO: distributed neural network optimization for multi-robot collaborative
    learning", 2022, section VI.
    """

    mean: float = Field(0.1307, description="m, what is taken away from every pixel, in the unit of the pixels")
    deviation: float = Field(0.3081, gt=0, description="s, what every pixel is divided by, in the unit of the pixels")

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The network."""
        return nn.Sequential(Standardised(self.mean, self.deviation), super().build(input_shape, outputs))


class Standardised(nn.Module):
    """(x - mean) / deviation.

    Args:
        mean: what is taken away.
        deviation: what is divided by.
    """

    def __init__(self, mean: float, deviation: float) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return (x - self.mean) / self.deviation
