"""Any classification network of torchvision."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from holdfast.errors import InputError
from holdfast.models.base import Model
from holdfast.models.packages import check_architecture, imported

__all__ = ["TorchvisionModel"]


class TorchvisionModel(Model):
    """A classification network of torchvision by its name there, untrained, for images of three channels.

    Many of them want larger images than CIFAR-10's: what a network cannot take, it refuses before the first round.

    Raises:
        InputError: torchvision is not installed, has no such network, or the inputs are not (3, height, width).

    Example:
        >>> TorchvisionModel(architecture="mobilenet_v3_small").component_name()
        'torchvision_model'

    Source: the TorchVision maintainers, "TorchVision: PyTorch's Computer Vision library", 2016.
    """

    architecture: str = Field("resnet18", description="the network, as torchvision.models.list_models() names it")

    def build(self, input_shape: tuple[int, ...], outputs: int) -> nn.Module:
        """The network."""
        models = imported("torchvision").models
        check_architecture(self.architecture, models.list_models(module=models), input_shape)
        if input_shape[0] != 3:
            remedy = "Use timm_model, which takes images of any number of channels, or cnn."
            raise InputError("problem.model", "take images of 3 channels", input_shape, remedy)
        network: nn.Module = models.get_model(self.architecture, weights=None, num_classes=outputs)
        return network
