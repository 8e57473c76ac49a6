"""Losses and metrics: one number a sample, so that a padded batch can be masked."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["PerSample", "accuracy", "cross_entropy", "hinge", "r2", "squared_error"]

PerSample = Callable[[Tensor, Tensor], Tensor]
"""``f(outputs, targets) -> (B,)``."""


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """(B,) the cross-entropy of each sample's logits, in nats.

    Example:
        >>> cross_entropy(torch.zeros(1, 2), torch.tensor([0])).round(decimals=4)
        tensor([0.6931])
    """
    return nn.functional.cross_entropy(outputs, targets, reduction="none")


def hinge(outputs: Tensor, targets: Tensor) -> Tensor:
    r"""(B,) by how much each sample's own score z_y falls short of leading every other one by 1.

    max(0, 1 + max_{k≠y} z_k - z_y). Of two classes it is the binary hinge loss max(0, 1 - s f) with f = z_1 - z_0 and
    s = ±1.

    Example:
        >>> hinge(torch.tensor([[2.0, 0.5, 1.5], [3.0, 0.0, 1.0]]), torch.tensor([0, 0]))
        tensor([0.5000, 0.0000])

    Source: Crammer & Singer, "On the algorithmic implementation of multiclass kernel-based vector machines", 2001.
    """
    own = torch.arange(outputs.shape[-1], device=outputs.device) == targets.unsqueeze(-1)
    best_other = outputs.masked_fill(own, -torch.inf).amax(-1)
    return (1 + best_other - outputs.masked_fill(~own, 0).sum(-1)).clamp(min=0)


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """(B,) the squared error of each sample, averaged over its outputs.

    Example:
        >>> squared_error(torch.tensor([[1.0], [2.0]]), torch.tensor([[1.0], [5.0]]))
        tensor([0., 9.])
    """
    return (outputs - targets).square().flatten(1).mean(1)


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """(B,) 1 where the greatest logit is the target's, else 0; an output that is NaN is wrong.

    Example:
        >>> accuracy(torch.tensor([[0.0, 1.0], [2.0, 1.0]]), torch.tensor([1, 1]))
        tensor([1., 0.])
    """
    right = outputs.argmax(-1) == targets
    return (right & ~outputs.isnan().any(-1)).float()


def r2(outputs: Tensor, targets: Tensor) -> Tensor:
    """(B,) 1 - e² of each sample; with targets of variance 1 its mean is R², the share of the variance explained.

    Example:
        >>> r2(torch.tensor([[1.0], [0.5]]), torch.tensor([[1.0], [-1.0]]))
        tensor([ 1.0000, -1.2500])
    """
    return 1 - squared_error(outputs, targets)
