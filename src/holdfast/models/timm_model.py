"""Any classification network of timm."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from holdfast.models.base import Model
from holdfast.models.packages import check_architecture, imported

__all__ = ["TimmModel"]


class TimmModel(Model):
    """A classification network of timm, PyTorch Image Models, by its name there, untrained, for any number of channels.

    Many of them want images of one size alone: what a network cannot take, it refuses before the first round.

    Raises:
        InputError: timm is not installed, has no such network, or the inputs are not (channels, height, width).

    Example:
        >>> TimmModel(architecture="resnet10t").component_name()
        'timm_model'

    Source: Wightman, "PyTorch Image Models", 2019.
    """

    architecture: str = Field("resnet18", description="the network, as timm.list_models() names it")

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The network."""
        timm = imported("timm")
        check_architecture(self.architecture, timm.list_models(), input_shape)
        network: nn.Module = timm.create_model(
            self.architecture, pretrained=False, num_classes=outputs, in_chans=input_shape[0]
        )
        return network
