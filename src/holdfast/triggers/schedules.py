"""What planned triggers share: how often nodes of different worth speak, and when."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field
from torch import Tensor

from holdfast.triggers.base import ORDER, Trigger
from holdfast.types import BoolArray, FloatArray, IntArray, State

__all__ = ["IntervalTrigger", "PlannedTrigger", "due", "intervals", "scaled", "sends"]


class PlannedTrigger(Trigger):
    """A trigger whose nodes do as they are told: an order above 0 is to speak."""

    plans: ClassVar[bool] = True

    def speakers(
        self, state: State, round: int, x_KD: Tensor, reference_KD: Tensor, losses_K: Tensor
    ) -> tuple[State, Tensor]:
        """The state, unchanged, and a (K,) mask of those who are told to speak."""
        return state, state[ORDER] > 0


class IntervalTrigger(PlannedTrigger):
    """A planned trigger under which a node of the greatest worth speaks once in an interval, on average."""

    interval: int = Field(
        1, ge=1, description="from one message to the next of a node of the greatest worth, in rounds"
    )

    def check(self, nodes: int, rounds: int) -> None:
        """Refuse an interval longer than the run."""
        self._at_most("interval", rounds)


def scaled(worth_N: FloatArray) -> FloatArray:
    """ŝ, the worth scaled to 0..1; 1 where all are alike, and NaN where it is not finite.

    Example:
        >>> scaled(np.array([2.0, 6.0, 3.0, np.inf])), scaled(np.array([5.0, 5.0]))
        (array([0.  , 1.  , 0.25,  nan]), array([1., 1.]))
    """
    known_N = np.isfinite(worth_N)
    low, high = worth_N[known_N].min(initial=np.inf), worth_N[known_N].max(initial=-np.inf)
    found_N: FloatArray = np.full(len(worth_N), np.nan)
    found_N[known_N] = (worth_N[known_N] - low) / (high - low) if high > low else 1.0
    return found_N


def sends(share_N: FloatArray, rounds_N: IntArray, interval: int) -> IntArray:
    """How often each node speaks in T rounds, c = max(1, ⌈ŝ ⌈T/I⌉⌉); in every round where ŝ is NaN.

    Example:
        >>> sends(np.array([0.0, 0.3, 1.0, np.nan]), np.full(4, 10), interval=2)
        array([ 1,  2,  5, 10])
    """
    most_N = -(-rounds_N // interval)
    wanted_N = np.ceil(np.nan_to_num(share_N) * most_N - 1e-9)  # 0.7 · 10 is a little more than 7
    found_N: IntArray = np.where(np.isnan(share_N), rounds_N, np.maximum(1, wanted_N)).astype(np.int64)
    return found_N


def intervals(sends_N: IntArray, rounds_N: IntArray) -> IntArray:
    """τ = ⌈T/c⌉, from one message of a node to its next."""
    return -(-rounds_N // sends_N)


def due(sends_N: IntArray, rounds: int, round: int) -> BoolArray:
    """(N,) who speaks in a round: c times in T rounds, namely every τ = ⌈T/c⌉, and in every last one until they are c.

    The last ones begin at T - (c - ⌊T/τ⌋) in dyn-fed, which counts a multiple of τ among them twice, so that there may
    be fewer than c. Here they begin as much earlier, or later, as makes exactly c.

    Example:
        >>> [round for round in range(1, 11) if due(np.array([7]), 10, round)]
        [2, 4, 6, 7, 8, 9, 10]
    """
    every_N = intervals(sends_N, np.full(len(sends_N), rounds))
    if_all_the_rest_N = (round - 1) // every_N + rounds + 1 - round
    found_N: BoolArray = (round % every_N == 0) | (if_all_the_rest_N <= sends_N)
    return found_N
