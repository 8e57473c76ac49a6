"""Inputs that are noisier on some nodes than on others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from holdfast.errors import InputError
from holdfast.partitions.iid import Iid
from holdfast.seeding import generator
from holdfast.types import IntArray

__all__ = ["FeatureNoise"]

BLOCK = 1000
"""For how many samples noise is drawn at once."""


class FeatureNoise(Iid):
    r"""Deals the samples out as `iid` does, and adds noise to the inputs, more of it from node to node.

    Node i of N sees x + σ_i ε for each of its inputs x, with σ_i = σ i/(N - 1) and ε ~ N(0, 1) for every feature: node
    0 sees them as they are, the last node with the full σ. The noise belongs to the sample, the same in every round;
    test samples have none.

    Raises:
        InputError: there are more nodes than samples, or the inputs are no real numbers.

    Example:
        >>> import numpy as np
        >>> partition = FeatureNoise(sigma=0.5)
        >>> parts = partition.split(np.zeros(40, dtype=np.int64), nodes=2, seed=1)
        >>> noise = partition.disturb(torch.zeros(40, 100), parts, seed=1)
        >>> [round(float(noise[part].std()), 1) for part in parts]
        [0.0, 0.5]

    Source: Li, Diao, Chen & He, "Federated learning on non-IID data silos: an experimental study", 2022, section IV-B
    (with standard deviations that grow evenly, where they let variances grow).
    """

    sigma: float = Field(
        0.1,
        ge=0,
        description="how strong the noise of the last node is, as its standard deviation in units of the inputs",
    )

    def disturb(self, inputs: Tensor, parts: Sequence[IntArray], seed: int) -> Tensor:
        """(S, …) the training inputs with the noise of the nodes that hold them."""
        if not inputs.is_floating_point():
            remedy = "Use another partition, or turn the inputs into floats."
            raise InputError("partition", "meet inputs that are real numbers for feature_noise", inputs.dtype, remedy)
        sigma_S = inputs.new_empty(len(inputs))
        for node, part in enumerate(parts):
            sigma_S[torch.from_numpy(part)] = self.sigma * node / max(len(parts) - 1, 1)
        noisy = inputs.clone()
        for start in range(0, len(inputs), BLOCK):
            block = noisy[start : start + BLOCK]
            noise = torch.randn(block.shape, generator=generator(seed, "feature_noise", start))
            scale = sigma_S[start : start + BLOCK].view(-1, *[1] * (block.ndim - 1))
            block += noise.to(block) * scale
        return noisy
