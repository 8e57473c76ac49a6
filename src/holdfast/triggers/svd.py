"""Speaking as often as the own samples are various."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from holdfast.triggers.base import News
from holdfast.triggers.schedules import IntervalTrigger, due, scaled, sends
from holdfast.types import FloatArray, State

__all__ = ["Svd"]


class Svd(IntervalTrigger):
    r"""A node speaks the more often, the more singular values its data matrix needs.

    Before the first round each node reports the first index s at which the cumulated singular values of its inputs, a
    row a sample, reach a share of their sum. With T rounds, the interval I and s scaled to 0..1 over the nodes,

        c = max(1, ⌈ŝ ⌈T/I⌉⌉) times,  every τ = ⌈T/c⌉ rounds and in the last ones

    Where all report the same, ŝ = 1; a node that has not reported speaks in every round. The rounds are set before the
    first: a node that is not asked in one of them does not speak later instead. What a silent node has learned is lost
    with the next broadcast, unless the algorithm keeps it, as `fedavg` with ``keep_local``.

    Raises:
        InputError: in an experiment with fewer rounds than the interval.

    Example:
        >>> inputs = torch.diag(torch.tensor([4.0, 2.0, 1.0, 0.0]))
        >>> Svd(share=0.8).survey(inputs, torch.zeros(4), None, seed=1)
        tensor([1.])

    Source: dyn-fed, its SVD mode.
    """

    surveys: ClassVar[bool] = True

    share: float = Field(0.95, gt=0, le=1, description="the share of the singular values' sum that counts")

    def survey(self, inputs: Tensor, targets: Tensor, classes: int | None, seed: int) -> Tensor:
        """(1,) the index, from 0."""
        cumulated = torch.linalg.svdvals(inputs.flatten(1).double()).cumsum(0)
        index: Tensor = (cumulated < self.share * cumulated[-1]).sum().float()
        return index.unsqueeze(0)

    def plan(self, state: State, round: int, news: News) -> tuple[State, FloatArray]:
        """The state, unchanged, and (N,) 1 for who is to speak."""
        share_N = scaled(news.reports_NR[:, 0].double().cpu().numpy())
        times_N = sends(share_N, np.full(len(share_N), news.rounds), self.interval)
        return state, due(times_N, news.rounds, round).astype(np.float64)
