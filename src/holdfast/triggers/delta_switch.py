"""From now and then to always, once the model has come to rest."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field

from holdfast.triggers.base import News
from holdfast.triggers.schedules import PlannedTrigger
from holdfast.types import FloatArray, State

__all__ = ["DeltaSwitch"]


class DeltaSwitch(PlannedTrigger):
    r"""Everybody speaks in every n-th round, and in every round once the model changes little from one to the next.

    From the first exchange x_k after which :math:`\max_d |x_{k,d} - x_{k-1,d}| < \text{threshold}`, every round is one
    of speaking. The rounds, and so the local epochs, stay as many as before. An exchange that moved nothing does not
    count, for then nothing came.

    Raises:
        InputError: in an experiment with fewer rounds than `every`.

    Example:
        >>> def model(x):
        ...     nothing = torch.empty(0)
        ...     return News(9, torch.tensor([x]), nothing, np.zeros(1), (nothing, nothing), np.ones(1, dtype=bool))
        >>> trigger, state, told = DeltaSwitch(every=2, threshold=0.1), {}, []
        >>> for round, x in enumerate([0.0, 0.0, 1.0, 1.0, 1.01, 1.02], start=1):
        ...     state, orders_N = trigger.plan(state, round, model(x))
        ...     told.append(float(orders_N[0]))
        >>> told
        [0.0, 1.0, 0.0, 1.0, 1.0, 1.0]

    Source: dyn-fed, its ``delta_switch``.
    """

    every: int = Field(10, ge=1, description="from one exchange to the next until the switch, in rounds")
    threshold: float = Field(
        1e-3, gt=0, description="the greatest change of a parameter between two exchanges that lets it switch"
    )

    def check(self, nodes: int, rounds: int) -> None:
        """Refuse an interval longer than the run."""
        self._at_most("every", rounds)

    def plan(self, state: State, round: int, news: News) -> tuple[State, FloatArray]:
        """The model at the last exchange and whether it has switched, and (N,) 1 for who is to speak."""
        known = state or {"x": news.x_D, "switched": torch.tensor(False)}
        if round > 1 and (round - 1) % self.every == 0 and not known["switched"]:
            change = float((news.x_D - known["x"]).abs().max())
            known = {"x": news.x_D, "switched": torch.tensor(0 < change < self.threshold)}
        speaks = bool(known["switched"]) or round % self.every == 0
        return known, np.full(len(news.losses_N), float(speaks))
