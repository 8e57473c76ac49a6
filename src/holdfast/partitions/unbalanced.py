"""Unequal amounts on top of any partition that deals every sample out once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from holdfast.partitions.shards import Shards
from holdfast.seeding import generator, uniform
from holdfast.types import FloatArray, IntArray

__all__ = ["unbalanced"]


def unbalanced(parts: Sequence[IntArray], targets: IntArray, sigma: float, seed: int) -> Shards:
    r"""The samples of each class dealt out anew among the nodes that hold some of it, in unequal amounts.

    Node i holds n_ci of the n_c samples of class c and has the factor u_i = exp(σ z_i), z_i ~ N(0, 1). Each of the h_c
    holders keeps one sample of the class, and the other n_c - h_c go to them in proportion to n_ci u_i, rounded. So no
    sample is lost, nobody is left without, and who holds which classes stays.

    Args:
        parts: for each node its sample indices, every sample with one node.
        targets: (S,) the classes of the samples.
        sigma: σ, how unequal the amounts become.
        seed: the experiment's seed.

    Example:
        >>> parts = unbalanced(np.arange(100).reshape(2, 50), np.zeros(100), sigma=1.0, seed=1)
        >>> parts.sizes.tolist()
        [72, 28]

    Source: log-normal amounts as in Acar et al., "Federated learning based on dynamic regularization", 2021.
    """
    nodes, owner_S = len(parts), np.empty(len(targets), dtype=np.int64)
    owner_S[np.concatenate(list(parts))] = np.repeat(np.arange(nodes), [len(part) for part in parts])
    _, class_S = np.unique(targets, return_inverse=True)
    # One cell for each class and each of its holders, class by class.
    cells, held = np.unique(class_S * nodes + owner_S, return_counts=True)
    class_of, holder = np.divmod(cells, nodes)
    factor_N = np.exp(sigma * torch.randn(nodes, generator=generator(seed, "unbalanced"), dtype=torch.float64).numpy())
    given = _shared(held, held * factor_N[holder], class_of)
    order = np.lexsort((uniform(seed, "unbalanced", np.arange(len(targets))), class_S))
    owner_S[order] = np.repeat(holder, given)
    return Shards.owned(owner_S, nodes)


def _shared(held: IntArray, weight: FloatArray, class_of: IntArray) -> IntArray:
    """How many samples each cell gets of those of its class: one, and its weight's share of the rest."""
    starts = np.flatnonzero(np.diff(class_of, prepend=-1))
    share = weight / np.add.reduceat(weight, starts)[class_of]
    rest = np.add.reduceat(held - 1, starts)[class_of]
    # The shares of a class add up to a whole number, so rounding the running sum keeps every class's total.
    ends: IntArray = np.rint(np.cumsum(share * rest)).astype(np.int64)
    return 1 + np.diff(ends, prepend=np.int64(0))
