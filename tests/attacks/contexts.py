"""The context of an attack in a test."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from holdfast.aggregators import Aggregator
from holdfast.attacks import Context
from holdfast.seeding import Draws


def context(*nodes: int, seed: int = 1, round: int = 0) -> Context:
    """The context of the given attackers, against the mean."""
    draws = Draws(seed, "attack", np.array(nodes, dtype=np.int64), round)
    return Context(round, draws, f=len(nodes), rule=lambda x_MD: x_MD.mean(-2))


def against(rule: Aggregator, attackers: int) -> Context:
    """The context of the first so many nodes as attackers, against a rule."""
    draws = Draws(1, "attack", np.arange(attackers, dtype=np.int64), 0)
    return Context(0, draws, rule.tolerates, rule, rule.least)


def rows(count: int, columns: int = 5, seed: int = 3) -> torch.Tensor:
    """Normal rows."""
    return torch.randn(count, columns, generator=torch.Generator().manual_seed(seed))


def harm(rule: Callable[[Tensor], Tensor], honest_HD: Tensor, sent_BD: Tensor) -> float:
    """How far the rule's result lies from the mean of the honest rows, when the attackers' rows are among them."""
    return float((rule(torch.cat([honest_HD, sent_BD])) - honest_HD.mean(0)).norm())
