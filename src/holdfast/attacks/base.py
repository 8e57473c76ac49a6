"""The contract of attacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, ValidationInfo, field_validator
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
        rule: the aggregation rule with all its stages, (M, D) to (D,), for attacks that search against it.
        least: how many rows the rule takes at least.
    """

    round: int
    draws: Draws
    f: int
    rule: Callable[[Tensor], Tensor]
    least: int = 1

    def outcome(self, honest_HD: Tensor, byzantine_BD: Tensor) -> Tensor | None:
        """The (D,) row that the rule makes of all rows, the honest ones first; ``None`` where they are too few for it.

        The rule starts afresh and gives every row the same weight.

        Example:
            >>> draws = Draws(1, "attack", np.array([2]), 0)
            >>> context = Context(0, draws, f=0, rule=lambda x_MD: x_MD.mean(0), least=3)
            >>> context.outcome(torch.tensor([[1.0], [2.0]]), torch.tensor([[6.0]]))
            tensor([3.])
            >>> context.outcome(torch.tensor([[1.0]]), torch.tensor([[6.0]])) is None
            True
        """
        x_MD = torch.cat([honest_HD, byzantine_BD.to(honest_HD)])
        return self.rule(x_MD) if len(x_MD) >= max(1, self.least) else None


class Attack(Component):
    """What Byzantine nodes do: change the rows that they send (`corrupt`), or the data they train on (`poison`).

    Before its first round and after its last one they behave like everybody else.

    Raises:
        InputError: ``until_round`` comes before ``from_round``.
    """

    family: ClassVar[str] = "attacks"
    knows: ClassVar[Literal["own", "colluders", "omniscient"]] = "own"
    """What the attack must see: its own row, all Byzantine rows, or the honest rows too."""

    nodes: int | tuple[int, ...] = Field(1, description="how many nodes attack (drawn by the seed), or which")
    from_round: int = Field(1, ge=1, description="the first round, from 1, in which they attack")
    until_round: int | None = Field(None, description="the last round in which they attack; none for all the rest")

    @field_validator("until_round")
    @classmethod
    def _not_before_the_first(cls, until_round: int | None, info: ValidationInfo) -> int | None:
        first = info.data.get("from_round")
        if until_round is not None and first is not None and until_round < first:
            raise ValueError(f"be at least from_round, {first}")
        return until_round

    def active(self, round: int) -> bool:
        """Whether the attackers attack in this round.

        Example:
            >>> [Attack(from_round=2, until_round=3).active(t) for t in (1, 2, 3, 4)]
            [False, True, True, False]
        """
        return self.from_round <= round and (self.until_round is None or round <= self.until_round)

    def byzantine(self, nodes: int, seed: int) -> IntArray:
        """The attacking nodes, sorted.

        Raises:
            InputError: fewer attackers than none, more than nodes, or a node that does not exist.
        """
        if isinstance(self.nodes, tuple):
            chosen = np.unique(np.asarray(self.nodes, dtype=np.int64))
            if len(chosen) and (chosen[0] < 0 or chosen[-1] >= nodes):
                raise InputError("attack.nodes", f"lie in 0..{nodes - 1}", list(self.nodes), "Name existing nodes.")
            return chosen
        if not 0 <= self.nodes <= nodes:
            remedy = f"Use at most {nodes} attackers, or more nodes."
            raise InputError("attack.nodes", f"lie in 0..{nodes}", self.nodes, remedy)
        order = np.argsort(uniform(seed, "byzantine", np.arange(nodes)), kind="stable")
        return np.sort(order[: self.nodes])

    def start(self, rows: int, columns: int) -> State:
        """What attackers that speak for the first time remember, one row for each; nothing by default.

        Raises:
            InputError: the attack does not suit rows with so many columns.
        """
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

    def probe(self, inputs: Tensor, targets: Tensor, classes: int | None) -> tuple[Tensor, Tensor] | None:
        """The samples on which a poisoned model shows, and the classes that the attacker wants to be answered.

        Args:
            inputs: (S, …) the test samples.
            targets: (S,) their labels.
            classes: how many classes there are; ``None`` in a regression.

        Returns:
            (P, …) inputs and (P,) wanted classes; ``None``, the default, where success shows on no single sample.
        """
        return None
