"""The context of an attack in a test."""

from __future__ import annotations

import numpy as np
import torch

from holdfast.attacks import Context
from holdfast.seeding import Draws


def context(*nodes: int, seed: int = 1, round: int = 0) -> Context:
    """The context of the given attackers, against the mean."""
    draws = Draws(seed, "attack", np.array(nodes, dtype=np.int64), round)
    return Context(round, draws, f=len(nodes), rule=lambda x_MD: x_MD.mean(-2))


def rows(count: int, columns: int = 5, seed: int = 3) -> torch.Tensor:
    """Normal rows."""
    return torch.randn(count, columns, generator=torch.Generator().manual_seed(seed))
