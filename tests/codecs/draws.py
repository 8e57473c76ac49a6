"""Addressed draws and rows for the tests of codecs."""

from __future__ import annotations

import numpy as np
import torch

from holdfast.seeding import Draws


def draws(*nodes: int, round: int = 0, seed: int = 1) -> Draws:
    """The draws of the given nodes."""
    return Draws(seed, "codec", np.array(nodes, dtype=np.int64), round)


def rows(count: int, columns: int, seed: int = 2) -> torch.Tensor:
    """Normal rows."""
    return torch.randn(count, columns, generator=torch.Generator().manual_seed(seed))
