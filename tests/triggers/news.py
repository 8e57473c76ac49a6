"""What a coordinator knows, for the tests of triggers that plan."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from holdfast.triggers.base import News, Trigger

NOTHING = torch.empty(0), torch.empty(0)


def news(
    rounds: int,
    losses: Sequence[float] = (),
    reports: Sequence[float] = (),
    x: float = 0.0,
    validation: tuple[Tensor, Tensor] = NOTHING,
    away: Sequence[int] = (),
) -> News:
    """The news of a run of so many rounds; of each node its loss, and one number that it reports."""
    there_N = ~np.isin(np.arange(len(losses)), away)
    reports_NR = torch.tensor(reports).unsqueeze(-1)
    return News(rounds, torch.tensor([x]), reports_NR, np.array(losses), validation, there_N)


def spoken(trigger: Trigger, nodes: int, told: Sequence[News]) -> list[list[int]]:
    """The rounds in which each node is told to speak, given the news of every round."""
    state, found = {}, [[] for _ in range(nodes)]
    for round, what in enumerate(told, start=1):
        state, orders_N = trigger.plan(state, round, what)
        assert orders_N.shape == (nodes,)
        for node in np.flatnonzero(orders_N > 0).tolist():
            found[node].append(round)
    return found
