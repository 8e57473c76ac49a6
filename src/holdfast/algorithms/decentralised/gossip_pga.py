"""Gossip with periodic global averaging."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field
from scipy import sparse

from holdfast.algorithms.decentralised.dsgd import DSGD

__all__ = ["GossipPGA"]


class GossipPGA(DSGD):
    r"""Gossip-PGA: decentralised SGD in which every H-th round everybody hears everybody.

    .. math::
        x_i^+ = \sum_j W_{ij} (x_j - \alpha \nabla f_j(x_j)), \qquad
        W = \tfrac{1}{N} 1 1^\top \text{ in rounds } H, 2H, \dots

    So the graph of those rounds is complete, and counted as that: each node sends N - 1 rows. Between real processes
    every one of them must reach all others.

    Source: Chen, Yuan, Zhang, Pan, Xu & Yin 2021, "Accelerating Gossip SGD with Periodic Global Averaging",
    Algorithm 1.

    Example:
        >>> GossipPGA(every=2).links(sparse.csr_array(np.eye(2)), 2, 1).toarray().tolist()
        [[0.5, 0.5], [0.5, 0.5]]
    """

    order: Literal["combine_then_adapt", "adapt_then_combine"] = Field(
        "adapt_then_combine", description="whether a node mixes before or after its gradient step"
    )
    every: int = Field(8, ge=1, description="H, in rounds: how often everybody hears everybody")

    def links(self, W_NN: sparse.csr_array, round: int, seed: int) -> sparse.csr_array:
        """The topology's, or those of the global average."""
        return W_NN if round % self.every else sparse.csr_array(np.full(W_NN.shape, 1.0 / W_NN.shape[0]))
