"""Speaking as often as the own loss is high."""

from __future__ import annotations

import numpy as np
import torch

from holdfast.triggers.base import News
from holdfast.triggers.schedules import IntervalTrigger, intervals, scaled, sends
from holdfast.types import FloatArray, State

__all__ = ["Loss"]


class Loss(IntervalTrigger):
    r"""A node speaks the more often, the higher its training loss is, judged anew in every round.

    With L the rounds that are left since a node was last told to speak, the interval I, and ŝ the losses of the last
    round scaled to 0..1 over the nodes, it would have c = max(1, ⌈ŝ ⌈L/I⌉⌉) messages left, so it speaks when

        rounds since its last ≥ ⌈L/c⌉

    Where all losses are the same, ŝ = 1; a node whose loss is not known, as in the first round, or not finite, speaks
    in every round. The turn of a node that is not asked, or is down, comes in its next round. What a silent node has
    learned is lost with the next broadcast, unless the algorithm keeps it, as `fedavg` with ``keep_local``. A node may
    state any loss.

    Raises:
        InputError: in an experiment with fewer rounds than the interval.

    Example:
        >>> def losses(*losses):
        ...     nothing = torch.empty(0)
        ...     return News(6, nothing, nothing, np.array(losses), (nothing, nothing), np.ones(2, dtype=bool))
        >>> state, orders = Loss().plan({}, 1, losses(np.nan, np.nan))
        >>> for round in (2, 3, 4):
        ...     state, orders = Loss().plan(state, round, losses(0.8, 0.2))
        ...     print(round, orders)
        2 [1. 0.]
        3 [1. 0.]
        4 [1. 0.]

    Source: dyn-fed, its loss mode.
    """

    def plan(self, state: State, round: int, news: News) -> tuple[State, FloatArray]:
        """When each node was last told to speak, and (N,) 1 for who is to."""
        last_N = state["last"].cpu().numpy() if state else np.zeros(len(news.losses_N), dtype=np.int64)
        left_N = news.rounds - last_N
        every_N = intervals(sends(scaled(news.losses_N), left_N, self.interval), left_N)
        speaks_N = round - last_N >= every_N
        return {"last": torch.from_numpy(np.where(speaks_N & news.there_N, round, last_N))}, speaks_N.astype(np.float64)
