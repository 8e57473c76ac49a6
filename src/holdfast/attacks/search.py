"""Searching for the factor with which an attack does the most harm, or that it may just take."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor

from holdfast.attacks.base import Context
from holdfast.attacks.together import Collusion

__all__ = ["Searching", "best_factor", "largest"]

GOLDEN = (math.sqrt(5) - 1) / 2
HALVINGS = 100
LARGEST = 2.0**64


class Searching(Collusion):
    """Attackers who try on the rule itself which factor does the most harm.

    b = start + γ · direction,  γ = argmax over [least, most] of ‖rule(all rows) - ḡ‖

    with ḡ the mean of the honest rows. Where they are too few for the rule, or nothing that was tried gives a
    number, the factor is the default of the attack that does not search.

    Raises:
        InputError: ``most`` is less than ``least``.
    """

    default: ClassVar[float]
    """The factor of the attack that does not search; always among those tried."""

    evaluations: int = Field(20, ge=4, description="how often the rule is tried, for each round and channel")
    least: float = Field(0.0, description="the least factor that is tried")
    most: float = Field(10.0, description="the greatest factor that is tried")

    @field_validator("most")
    @classmethod
    def _not_below_the_least(cls, most: float, info: ValidationInfo) -> float:
        least = info.data.get("least")
        if least is not None and most < least:
            raise ValueError(f"be at least least, {least}")
        return most

    @abstractmethod
    def line(self, honest_HD: Tensor) -> tuple[Tensor, Tensor]:
        """The (D,) start and the (D,) direction that the factor stretches."""

    def row(self, honest_HD: Tensor, attackers: int, context: Context) -> Tensor:
        """The (D,) most harmful row on the line."""
        start_D, direction_D = self.line(honest_HD)
        mean_D = honest_HD.mean(0)

        def harm(factor: float) -> float:
            lie_D = start_D + factor * direction_D
            outcome_D = context.outcome(honest_HD, lie_D.expand(attackers, -1))
            return math.nan if outcome_D is None else float((outcome_D - mean_D).norm())

        return start_D + best_factor(harm, self.least, self.most, self.evaluations, self.default) * direction_D


def best_factor(worth: Callable[[float], float], least: float, most: float, evaluations: int, first: float) -> float:
    """The factor of greatest worth that a bounded search meets.

    A coarse grid with half of the evaluations, then golden sections between the neighbours of its best point. The
    worth may jump, as under a rule that selects rows; what is best of all that was tried is returned, and of equals
    ``first``.

    Args:
        worth: what is to be great; NaN is worth less than any number.
        least: the least factor.
        most: the greatest factor.
        evaluations: how many factors are tried.
        first: a factor that is always tried, moved into the bounds.

    Example:
        >>> round(best_factor(lambda x: -(x - 3.3) ** 2, 0, 10, evaluations=30, first=1), 3)
        3.3
    """
    found: dict[float, float] = {}

    def ask(factor: float) -> float:
        if factor not in found:
            value = worth(factor)
            found[factor] = -math.inf if math.isnan(value) else value
        return found[factor]

    first = min(max(first, least), most)
    ask(first)
    grid = sorted({first, *np.linspace(least, most, evaluations // 2).tolist()})
    at = grid.index(max(grid, key=ask))
    low, high = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    _golden_sections(ask, low, high, evaluations - len(grid))
    return max(found, key=ask)


def _golden_sections(ask: Callable[[float], float], low: float, high: float, evaluations: int) -> None:
    """Ask about that many factors, ever nearer to the best one."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    for _ in range(evaluations - 1):
        if ask(left) >= ask(right):
            high, right = right, left
            left = high - GOLDEN * (high - low)
        else:
            low, left = left, right
            right = low + GOLDEN * (high - low)


def largest(holds: Callable[[float], bool]) -> float:
    """The greatest number from 0 up to which something holds, by doubling and then by halving; at most 2⁶⁴.

    Example:
        >>> round(largest(lambda x: x * x <= 2), 6)
        1.414214
    """
    low, high = 0.0, 1.0
    while high <= LARGEST and holds(high):
        low, high = high, 2 * high
    if high > LARGEST:
        return low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
