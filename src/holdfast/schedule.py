"""How a learning rate changes from round to round."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field

from holdfast.component import Settings
from holdfast.errors import InputError

__all__ = ["Schedule"]


class Schedule(Settings):
    """The learning rate of round t, counted from 0, given that of the first; linear growth may come before.

    ==============  ======================================================
    fixed           lr
    polynomial      (lr - end)(1 - min(t, rounds)/rounds)^power + end
    exponential     lr · rate^(t/rounds)
    cosine          end + (lr - end)(1 + cos(π min(t, rounds)/rounds))/2
    ==============  ======================================================

    In the first k = `warmup` rounds it is lr·(t + 1)/(k + 1), and t counts from there.

    Raises:
        InputError: a field is given that the schedule of this name does not have.

    Example:
        >>> halving = Schedule(name="exponential", rounds=1, rate=0.5)
        >>> [halving.at(round, 0.8) for round in range(3)]
        [0.8, 0.4, 0.2]
        >>> Schedule(name="cosine", power=2)
        Traceback (most recent call last):
        holdfast.errors.InputError: schedule.power must be left out of cosine, but 2.0 was given. \
It belongs to polynomial.

    Source: Damaskinos et al. 2019, "AggregaThor", the decays of its published runner; Loshchilov & Hutter 2017, "SGDR",
    equation 5, without restarts; Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.2, on the warm-up.
    """

    uses: ClassVar[dict[str, tuple[str, ...]]] = {
        "fixed": (),
        "polynomial": ("rounds", "end", "power"),
        "exponential": ("rounds", "rate"),
        "cosine": ("rounds", "end"),
    }

    name: Literal["fixed", "polynomial", "exponential", "cosine"] = Field("fixed", description="how it decays")
    rounds: int = Field(10_000, ge=1, description="rounds until the end is reached, or the rate was applied once")
    end: float = Field(1e-4, ge=0, description="the learning rate after so many rounds: polynomial and cosine")
    power: float = Field(1.0, gt=0, description="the exponent of the polynomial")
    rate: float = Field(0.96, gt=0, le=1, description="what is left after so many rounds, as a fraction: exponential")
    warmup: int = Field(0, ge=0, description="rounds of linear growth before the decay begins")

    def examine(self) -> None:
        """Refuse a field of another schedule; one at its default says nothing, for saved experiments name them all.

        Raises:
            InputError: it would be ignored.
        """
        for field in ("rounds", "end", "power", "rate"):
            value: Any = getattr(self, field)
            if field not in self.uses[self.name] and value != type(self).model_fields[field].default:
                owners = [name for name, fields in self.uses.items() if field in fields]
                raise InputError(field, f"be left out of {self.name}", value, f"It belongs to {' and '.join(owners)}.")

    def at(self, round: int, lr: float) -> float:
        """The learning rate of a round.

        Args:
            round: how many rounds were before it.
            lr: the learning rate that decays.
        """
        if round < self.warmup:
            return lr * (round + 1) / (self.warmup + 1)
        share = (round - self.warmup) / self.rounds
        if self.name == "exponential":
            return lr * float(self.rate**share)
        if self.name == "fixed":
            return lr
        left = 1 - min(share, 1.0)
        kept = left**self.power if self.name == "polynomial" else (1 - math.cos(math.pi * left)) / 2
        return (lr - self.end) * float(kept) + self.end
