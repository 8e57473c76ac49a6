"""The contract of attacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from holdfast.component import Component
from holdfast.errors import InputError
from holdfast.seeding import Draws, uniform
from holdfast.types import IntArray, State

__all__ = ["Attack", "Context"]


@dataclass(frozen=True)
class Context:
    """What surrounds an attack in one round.

    Args:
        round: the round.
        draws: addressed randomness, one row for each Byzantine row of this round.
        f: how many Byzantine rows the rule was built to tolerate.
        rule: the aggregation rule, (M, D) to (D,), for attacks that search against it.
    """

    round: int
    draws: Draws
    f: int
    rule: Callable[[Tensor], Tensor]


class Attack(Component):
    """What Byzantine nodes do: change the rows that they send (`corrupt`), or the data they train on (`poison`)."""

    family: ClassVar[str] = "attacks"
    knows: ClassVar[Literal["own", "colluders", "omniscient"]] = "own"
    """What the attack must see: its own row, all Byzantine rows, or the honest rows too."""

    nodes: int | tuple[int, ...] = Field(1, description="how many nodes attack (drawn by the seed), or which")

    def byzantine(self, nodes: int, seed: int) -> IntArray:
        """The attacking nodes, sorted.

        Raises:
            InputError: more attackers than nodes, or a node that does not exist.
        """
        if isinstance(self.nodes, tuple):
            chosen = np.unique(np.asarray(self.nodes, dtype=np.int64))
            if len(chosen) and (chosen[0] < 0 or chosen[-1] >= nodes):
                raise InputError("attack.nodes", f"lie in 0..{nodes - 1}", list(self.nodes), "Name existing nodes.")
            return chosen
        if not 0 <= self.nodes <= nodes:
            remedy = f"Use at most {nodes} attackers, or more nodes."
            raise InputError("attack.nodes", f"be at most the number of nodes, {nodes}", self.nodes, remedy)
        order = np.argsort(uniform(seed, "byzantine", np.arange(nodes)), kind="stable")
        return np.sort(order[: self.nodes])

    def start(self, rows: int, columns: int) -> State:
        """What attackers that speak for the first time remember, one row for each; nothing by default."""
        return {}

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        """The new state and the (B, D) rows sent instead of ``own_BD``; by default the truth.

        Args:
            state: what the attackers remember, one row for each Byzantine row; ``{}`` at first.
            honest_HD: (H, D) rows of the honest nodes; (0, D) where the attack does not know them.
            own_BD: (B, D) rows that the attackers would have sent, had they been honest.
            context: the round, randomness and rule.
        """
        return state, own_BD

    def poison(self, inputs: Tensor, targets: Tensor, classes: int | None) -> tuple[Tensor, Tensor]:
        """The samples that an attacker trains on instead of its own; by default its own.

        Args:
            inputs: (B, …) a batch, any leading dimensions.
            targets: (B,) its labels or values.
            classes: how many classes there are; ``None`` in a regression.
        """
        return inputs, targets
